"""What a process costs more under sigspy than bare, in programs that start many of them.

Each profiled run has a bare run of its own, just before or just after it as chance decides. The
difference of the two, divided by the number of processes, is what one process costs: wall time as
a user waits for it, and CPU time of all processes together, that of sigspy included. Each program
is profiled once beforehand, so that all unwind tables are in the cache.
"""

import os
import random
import shlex
import subprocess

from runs import Run, spread

RATES = (97, 997)
LOOPS = 1000
FILES = 40
COMMITS = 20


def process_costs(profiler, folder, rounds):
    """Rows: for each program and rate, wall and CPU time of a process."""
    for name, command in programs(folder):
        processes = processes_of(command)
        Run(*profiler(RATES[0], command))
        more = {hz: [] for hz in RATES}
        bare_walls = []
        for _ in range(rounds):
            for hz in random.sample(RATES, len(RATES)):
                bare, profiled = pair(command, profiler(hz, command))
                bare_walls.append(1e3 * bare.wall / processes)
                wall, cpu = profiled.wall - bare.wall, profiled.cpu - bare.cpu
                more[hz].append((1e3 * wall / processes, 1e3 * cpu / processes))
        for hz in RATES:
            walls, cpus = zip(*more[hz])
            times = [spread(values, "{:.2f} ms") for values in (bare_walls, walls, cpus)]
            yield name, str(processes), str(hz), *times


def pair(command, profiled):
    """A bare run and a profiled one, in an order that chance decides."""
    if random.random() < 0.5:
        bare = Run(command)
        return bare, Run(*profiled)
    run = Run(*profiled)
    return Run(command), run


def processes_of(command):
    """How many processes a command is, itself included: what the kernel counts in a bare run.

    It counts the processes and threads of others too, which only adds: the least is right when it
    has been seen twice.
    """
    counts = []
    while counts.count(min(counts, default=0)) < 2:
        before = started_processes()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        counts.append(started_processes() - before)
    return min(counts)


def started_processes():
    """Processes and threads that were started since boot."""
    with open("/proc/stat") as stat:
        return next(int(line.split()[1]) for line in stat if line.startswith("processes "))


def programs(folder):
    """Names and commands of programs that start many processes."""
    for shell in ("dash", "bash"):
        yield f"{LOOPS} x `true` in {shell}", [shell, "-c", loop("/bin/true", LOOPS)]
    project = c_project(os.path.join(folder, "project"))
    yield f"`make -j2`, {FILES} files in C", ["make", "-s", "-B", "-j2", "-C", project]
    git = f"git -C {shlex.quote(git_repository(os.path.join(folder, 'repository')))}"
    both = f"{git} status --short; {git} log -1 --oneline >/dev/null"
    yield "100 x `git status; git log`", ["sh", "-c", loop(both, 100)]


def loop(body, times):
    return f"i=0; while [ $i -lt {times} ]; do {body}; i=$((i+1)); done"


def c_project(folder):
    """A program of some small files, with a Makefile."""
    os.mkdir(folder)
    for i in range(FILES):
        functions = "".join(
            f"int f{i}_{k}(const char *text) {{\n"
            f"    int sum = {k};\n"
            f"    for (; *text; text++) sum = sum * {2 * k + 3} + (*text ^ sum >> {k % 7});\n"
            f'    if (sum == {i}) printf("%d\\n", sum);\n'
            f"    return sum;\n"
            f"}}\n"
            for k in range(20)
        )
        with open(os.path.join(folder, f"f{i}.c"), "w") as file:
            file.write(f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n{functions}")
    with open(os.path.join(folder, "main.c"), "w") as file:
        file.write("int f0_0(const char *);\nint main(void) { return f0_0(__FILE__) == 0; }\n")
    objects = " ".join(["main.o"] + [f"f{i}.o" for i in range(FILES)])
    with open(os.path.join(folder, "Makefile"), "w") as file:
        file.write(f"CFLAGS = -O1\nprogram: {objects}\n\t$(CC) -o $@ $^\n")
    return folder


def git_repository(folder):
    """A small repository with a few commits."""
    git = ["git", "-C", folder, "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    os.mkdir(folder)
    subprocess.run([*git, "init", "--quiet"], check=True)
    for i in range(COMMITS):
        with open(os.path.join(folder, f"file{i}"), "w") as file:
            file.writelines(f"line {line}\n" for line in range(100))
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", f"commit {i}"], check=True)
    return folder
