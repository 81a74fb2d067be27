// Says whether a JSON file is as a JSON Schema (draft 7) wants it.
//
//   node schema.mjs SCHEMA FILE
import Ajv from "ajv";
import { readFileSync } from "node:fs";

const [schema, file] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const ajv = new Ajv({ strict: false });
if (!ajv.validate(schema, file)) {
  console.error(ajv.errorsText());
  process.exit(1);
}
