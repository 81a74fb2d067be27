// Says whether a JSON file is as a JSON Schema (draft 4 or 7) wants it.
//
//   node schema.mjs SCHEMA FILE
import Ajv from "ajv";
import Ajv4 from "ajv-draft-04";
import { readFileSync } from "node:fs";

const [schema, file] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
const Validator = schema.$schema?.includes("draft-04") ? Ajv4 : Ajv;
const ajv = new Validator({ strict: false, validateFormats: false, unicodeRegExp: false });
if (!ajv.validate(schema, file)) {
  console.error(ajv.errorsText());
  process.exit(1);
}
