// Says whether a JSON file is as a JSON Schema (draft 4 or 7) wants it.
//
//   node schema.mjs SCHEMA FILE [--of DEFINITION] [--no-more]
//
// --of: the file is what a definition of the schema wants. --no-more: it has no fields that the schema
// does not name.
import Ajv from "ajv";
import Ajv4 from "ajv-draft-04";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

const options = { of: { type: "string" }, "no-more": { type: "boolean" } };
const { positionals, values } = parseArgs({ options, allowPositionals: true });
const [schema, file] = positionals.map((path) => JSON.parse(readFileSync(path, "utf8")));

function close(part) {
  if (part === null || typeof part !== "object") return;
  if (part.properties !== undefined && part.type === "object") part.additionalProperties = false;
  Object.values(part).forEach(close);
}
if (values["no-more"]) close(schema);
const { definitions } = schema;
const wanted = values.of ? { $ref: `#/definitions/${values.of}`, definitions } : schema;

const Validator = schema.$schema?.includes("draft-04") ? Ajv4 : Ajv;
const ajv = new Validator({ strict: false, validateFormats: false, unicodeRegExp: false });
if (!ajv.validate(wanted, file)) {
  console.error(ajv.errorsText());
  process.exit(1);
}
