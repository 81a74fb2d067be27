// Prints the YAML of a file as JSON: that of all blocks marked `yaml`, if the file is Markdown.
//
//   node yaml.mjs FILE
import { parse } from "yaml";
import { readFileSync } from "node:fs";

const text = readFileSync(process.argv[2], "utf8");
const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map((block) => parse(block[1]));
console.log(JSON.stringify(process.argv[2].endsWith(".md") ? blocks : parse(text)));
