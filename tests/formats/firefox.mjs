// Validates nothing by itself: lists the threads of a profile as the Firefox Profiler loads it, with
// the time of their functions in milliseconds.
//
//   node firefox.mjs FILE
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(
  new URL("node_modules/@firefox-devtools/profiler-cli/dist/profiler-cli.js", import.meta.url),
);
// The program leaves a server behind that is found by a file in the home folder.
const home = mkdtempSync(join(tmpdir(), "firefox-profiler-"));
const run = (...words) =>
  execFileSync(process.execPath, [program, ...words], {
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, TMPDIR: home },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });

try {
  run("load", process.argv[2]);
  try {
    const { threads } = JSON.parse(run("thread", "list", "--json"));
    const functions = (handle) => {
      const words = ["thread", "functions", "--include-idle", "--json", "--thread", handle];
      const list = JSON.parse(run(...words)).functions;
      return list.map(({ name, library, selfSamples, totalSamples }) => ({
        name, library, self: selfSamples, total: totalSamples,
      }));
    };
    const thread = ({ threadHandle, name, tid, pid }) => ({ name, tid, pid, functions: functions(threadHandle) });
    console.log(JSON.stringify(threads.map(thread)));
  } finally {
    run("stop", "--all");
  }
} finally {
  rmSync(home, { recursive: true });
}
