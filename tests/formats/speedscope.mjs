// Reads a file by speedscope's own importer, and prints what it has understood.
//
//   node speedscope.mjs FILE
//
// The package is a page for browsers, in one script. Its importer is taken out of that script, whose
// user interface then fails for want of a page.
import { readFileSync, readdirSync } from "node:fs";
import { basename } from "node:path";
import { createContext, runInContext } from "node:vm";

const release = new URL("node_modules/speedscope/dist/release/", import.meta.url);
const name = readdirSync(release).find((file) => /^speedscope-.*\.js$/.test(file));
const script = readFileSync(new URL(name, release), "utf8");

const exported = script.match(/(\w+)=\{\};\$?\w+\(\1,\{[^}]*importProfileGroupFromText:/);
const loader = `Promise.resolve().then(()=>(`;
const start = script.search(
  new RegExp(`Promise\\.resolve\\(\\)\\.then\\(\\(\\)=>\\(\\w+\\(\\),${exported[1]}\\)\\)`),
);
if (start < 0 || !script.startsWith(loader, start)) throw new Error("another speedscope than expected");
const patched = `${script.slice(0, start)}globalThis.importer=${script.slice(start)}`;

// Stands for all of the page: it can be called, constructed, and has whatever is asked for.
const page = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => "" : key === Symbol.iterator ? [][key] : page),
  apply: () => page,
  construct: () => page,
});
const window = { TextDecoder, TextEncoder, URL, performance, setTimeout, clearTimeout };
for (const part of ["document", "localStorage", "navigator", "location", "matchMedia", "addEventListener"])
  window[part] = page;
window.console = { ...console, log() {} };
window.window = window.self = window;
createContext(window);
try {
  runInContext(patched, window);
} catch {}

const file = process.argv[2];
const { importProfileGroupFromText } = await window.importer;
const group = await importProfileGroupFromText(basename(file), readFileSync(file, "utf8"));
const profiles = group.profiles.map((profile) => {
  const frames = {};
  profile.forEachFrame((frame) => {
    frames[frame.name] ??= { self: 0, total: 0, file: frame.file, line: frame.line };
    frames[frame.name].self += frame.getSelfWeight();
    frames[frame.name].total += frame.getTotalWeight();
  });
  return { name: profile.getName(), total: profile.getTotalNonIdleWeight(), unit: profile.getWeightUnit(), frames };
});
console.log(JSON.stringify({ shown: group.indexToView, profiles }));
