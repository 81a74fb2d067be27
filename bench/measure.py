"""Measures sigspy in paired, interleaved runs; called by bench/run.

CPU time is user plus system. That of the target is what the kernel charged it by the end of main,
as it says itself: it is the same clock for all profilers, and includes their signal handlers. That
of sigspy is what wait4 says of sigspy and its children, less that of the target. Each profiled run
has a bare run of its own, just before or just after it as chance decides; the tables show medians
of the ratios and the middle half.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile

from processes import process_costs
from runs import Run, spread, table
from symbols import ADDRESSES, symbol_costs, recording_costs

RATES = (97, 997, 4000)
STARTS = 20
UNWINDERS = {
    "sigspy": "sigspy",
    "tables": "sigspy, without its cache",
    "framehop": "framehop",
    "libgcc": "libgcc, `_Unwind_Backtrace`",
}


class Workload:
    """The program that is profiled, with an amount of work of about one second of CPU time."""

    def __init__(self, path, threads):
        self.path, self.threads = path, threads
        units = 2000
        cpu = self.cpu_of(Run([path, "1", str(units)]))
        self.units = max(1, int(units * 1.0 / cpu / threads))

    def command(self):
        return [self.path, str(self.threads), str(self.units)]

    @staticmethod
    def cpu_of(run):
        return int(run.output.split()[0]) / 1e6


def profilers(sigspy, folder):
    """By name, how to run a command under each profiler that works here, at a rate."""
    recording = os.path.join(folder, "recording")
    found = {
        "sigspy": lambda hz, command: (
            [sigspy, "record", "--force", "-F", str(hz), "-o", recording + ".sigspy", "--"]
            + command,
            {},
        )
    }
    library = gperftools()
    if library:
        found["gperftools"] = lambda hz, command: (
            command,
            {
                "LD_PRELOAD": library,
                "CPUPROFILE": recording + ".prof",
                "CPUPROFILE_FREQUENCY": str(hz),
            },
        )
    perf = lambda hz, command: (
        ["perf", "record", "-q", "-F", str(hz), "-g", "-o", recording + ".perf", "--"] + command,
        {},
    )
    if works(perf(97, ["true"])[0]):
        found["perf record -g"] = perf
    return found


def gperftools():
    """The library of gperftools, if it is installed."""
    cache = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    paths = [line.split()[-1] for line in cache.splitlines() if "libprofiler.so" in line]
    return paths[0] if paths else None


def works(command):
    """Whether a command can be run here."""
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def overhead(workload, found, rounds):
    """Rows: CPU time of the target beside that of a bare run; CPU time of the profiler."""
    variants = [(name, hz) for name in found for hz in RATES]
    ratios = {variant: [] for variant in variants}
    own_shares = {variant: [] for variant in variants}
    peaks = {variant: [] for variant in variants}
    for _ in range(rounds):
        random.shuffle(variants)
        for name, hz in variants:
            command, env = found[name](hz, workload.command())
            bare_first = random.random() < 0.5
            if bare_first:
                bare = Workload.cpu_of(Run(workload.command()))
            run = Run(command, env)
            if not bare_first:
                bare = Workload.cpu_of(Run(workload.command()))
            target = Workload.cpu_of(run)
            ratios[name, hz].append(target / bare)
            own_shares[name, hz].append((run.cpu - target) / run.wall)
            peaks[name, hz].append(run.peak_kib / 1024)
    for name, hz in sorted(ratios, key=lambda variant: (list(found).index(variant[0]), variant[1])):
        yield (
            name,
            str(hz),
            str(workload.threads),
            spread(ratios[name, hz], "{:.4f}"),
            "in the target" if name == "gperftools" else spread(own_shares[name, hz], "{:.2%}"),
            "in the target" if name == "gperftools" else f"{max(peaks[name, hz]):.0f} MiB",
        )


def start_costs(found):
    """Rows: wall time of `true`, bare and profiled."""
    walls = {name: [] for name in ["bare", *found]}
    for _ in range(STARTS + 1):
        walls["bare"].append(Run(["true"]).wall)
        for name, profiler in found.items():
            walls[name].append(Run(*profiler(97, ["true"])).wall)
    bare = statistics.median(walls["bare"][1:])
    for name, times in walls.items():
        milliseconds = [1e3 * time for time in times[1:]]  # the first run warms the caches
        added = statistics.median(milliseconds) - 1e3 * bare
        yield name, spread(milliseconds, "{:.1f} ms"), f"{added:.1f} ms"


def handler_times(sigspy, workload, folder):
    """Rows: how long the handler took, as it measures itself, for stacks of some depths."""
    times, recording = os.path.join(folder, "times"), os.path.join(folder, "times.sigspy")
    for depth in (5, 30, 100):
        command = [sigspy, "record", "--force", "-F", "1000", "-o", recording, "--"]
        levels = depth - 4  # main's caller, the thread's entry, work and mix make the rest
        units = workload.units * 150 // (levels + 20)  # some seconds at each depth
        command += [workload.path, "1", str(units), str(levels)]
        Run(command, {"SIGSPY_HANDLER_TIMES": times})
        with open(times) as file:
            lines = [line.split() for line in file]
        ns = [int(ns) for frames, ns in lines if abs(int(frames) - depth) <= 2]
        percentiles = statistics.quantiles(ns, n=100)
        yield (
            str(depth),
            str(len(ns)),
            f"{percentiles[49] / 1e3:.1f} us",
            f"{percentiles[98] / 1e3:.1f} us",
        )


def table_times(compile):
    """Rows: unwind tables of a small and a big library, as bench/run's helper compiles them."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True)
    libraries = os.path.join(sysroot.stdout.strip(), "lib")
    driver = [name for name in os.listdir(libraries) if name.startswith("librustc_driver")]
    cache = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    libc = [line.split()[-1] for line in cache.splitlines() if "libc.so.6" in line]
    for path in libc[:1] + [os.path.join(libraries, name) for name in driver]:
        rows, size, *ms = Run([compile, path]).output.split()
        yield (
            os.path.basename(path),
            rows,
            f"{int(size) / 1024:.0f} KiB",
            spread([float(one) for one in ms], "{:.1f} ms"),
        )


def frame_times(frames, rounds):
    """Rows: ns for a frame of stacks of some depths, as bench/run's helper walks them."""
    times = {}
    for line in Run([frames, str(rounds)]).output.splitlines():
        name, depth, _, warm, cold = line.split()
        times.setdefault((int(depth), name), []).append((float(warm), float(cold)))
    for depth, name in sorted(times, key=lambda key: (key[0], list(UNWINDERS).index(key[1]))):
        warm, cold = zip(*times[depth, name])
        form = "{:.0f} ns"
        yield str(depth), UNWINDERS[name], spread(warm, form), spread(cold, form)


def big_source():
    """A Rust crate that takes the compiler some seconds."""
    parts = ["use std::collections::BTreeMap;\n"]
    for i in range(150):
        parts.append(
            f"pub fn f{i}(words: &[String]) -> BTreeMap<String, Vec<u{(8, 16, 32, 64)[i % 4]}>> {{\n"
            f"    let mut map: BTreeMap<String, Vec<_>> = BTreeMap::new();\n"
            f"    for (n, word) in words.iter().enumerate().filter(|(n, _)| n % {i + 2} == 0) {{\n"
            f'        map.entry(format!("{{word}}-{i}")).or_default().push(n as _);\n'
            f"    }}\n"
            f"    map.retain(|word, numbers| {{ numbers.sort(); word.len() > {i} }});\n"
            f"    map\n"
            f"}}\n"
        )
    return "".join(parts)


def flame_graph_costs(sigspy, folder):
    """Rows: from a recording of the Rust compiler to its flame graph."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True)
    rustc = os.path.join(sysroot.stdout.strip(), "bin", "rustc")
    source, recording = os.path.join(folder, "big.rs"), os.path.join(folder, "big.sigspy")
    with open(source, "w") as file:
        file.write(big_source())
    compile_it = [rustc, "-O", "--crate-type=lib", "--out-dir", folder, source]
    Run([sigspy, "record", "-F", "4000", "-o", recording, "--", *compile_it])
    graph = os.path.join(folder, "big.svg")
    command = [sigspy, "flamegraph", "--force", "-i", recording, "-o", graph]
    runs = [Run(command) for _ in range(5)]
    ticks = Run([sigspy, "export", "--format", "folded", "--unit", "ticks", "-i", recording]).output
    samples = sum(int(line.rsplit(" ", 1)[1]) for line in ticks.splitlines())
    yield (
        f"{samples}",
        f"{os.path.getsize(recording) / 1024:.0f} KiB",
        spread([run.wall for run in runs], "{:.2f} s"),
        f"{max(run.peak_kib for run in runs) / 1024:.0f} MiB",
    )


def print_overhead(arguments, folder, found):
    for threads in (1, 2):
        head = ["profiler", "Hz", "threads", "CPU of target / bare", "own CPU, of one core"]
        rows = overhead(Workload(arguments.work, threads), found, arguments.rounds)
        title = f"A program of {threads} thread{'s' * (threads > 1)}"
        table(title, head + ["own peak memory"], rows)


def print_start(arguments, folder, found):
    head = ["profiler", "wall time of `true`", "more than bare"]
    table("Starting and stopping", head, start_costs(found))


def print_handler(arguments, folder, found):
    head = ["frames", "samples", "median", "99th percentile"]
    rows = handler_times(arguments.sigspy, Workload(arguments.work, 1), folder)
    table("Time in the signal handler", head, rows)


def print_tables(arguments, folder, found):
    head = ["module", "rows", "table", "time to compile"]
    table("Unwind tables", head, table_times(arguments.compile))


def print_frames(arguments, folder, found):
    head = ["frames", "unwinder", "a frame", "a frame, nothing in the caches"]
    table("Cost of a frame", head, frame_times(arguments.frames, arguments.rounds))


def print_flamegraph(arguments, folder, found):
    head = ["samples", "recording", "to a flame graph", "peak memory"]
    rows = flame_graph_costs(arguments.sigspy, folder)
    table("Flame graph of the Rust compiler", head, rows)


def print_processes(arguments, folder, found):
    head = ["program", "processes", "Hz", "bare, a process", "more wall time", "more CPU time"]
    rows = process_costs(found["sigspy"], folder, arguments.rounds)
    table("Programs of many processes: cost of each", head, rows)


def print_symbols(arguments, folder, found):
    head = ["tool", "wall time", "CPU time", "peak memory", "innermost as sigspy", "outermost"]
    name = os.path.basename(arguments.symbols_of)
    size = os.path.getsize(arguments.symbols_of) >> 20
    title = f"Names of {ADDRESSES} addresses of {name}, {size} MiB"
    rows = symbol_costs(arguments.names, arguments.symbols_of, folder, arguments.rounds)
    table(title, head, rows)
    rows = recording_costs(
        arguments.sigspy, arguments.names, arguments.symbols_of, folder, arguments.rounds
    )
    table("Names of a recording of that", ["command", "wall time", "peak memory"], rows)


PARTS = {
    "overhead": print_overhead,
    "start": print_start,
    "processes": print_processes,
    "handler": print_handler,
    "tables": print_tables,
    "frames": print_frames,
    "flamegraph": print_flamegraph,
    "symbols": print_symbols,
}


def main():
    parser = argparse.ArgumentParser(description="Measures what sigspy costs.")
    parser.add_argument("--sigspy", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--compile", required=True)
    parser.add_argument("--frames", required=True)
    parser.add_argument("--names", required=True)
    parser.add_argument("--symbols-of", help="a program to look names up in; else sigspy itself")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    arguments = parser.parse_args()
    arguments.symbols_of = arguments.symbols_of or arguments.sigspy
    with tempfile.TemporaryDirectory() as folder:
        found = profilers(arguments.sigspy, folder)
        print(f"{os.cpu_count()} processors, Linux {os.uname().release}; medians of")
        print(f"{arguments.rounds} rounds, with the middle half in brackets.")
        for part in [arguments.only] if arguments.only else PARTS:
            PARTS[part](arguments, folder, found)


if __name__ == "__main__":
    main()
