"""How long names take: of random addresses of one program, and of all addresses of a recording.

All tools get the same addresses in the same order, print functions, files, lines and inlined
functions, and run in turn. Cold is a new process with the file in the page cache; warm is the same
with what sigspy kept of the run before. Names are compared after binutils has demangled those of
all tools but sigspy, so that what differs is which function they mean.
"""

import os
import random
import re
import shutil
import subprocess

from runs import Run, spread

ADDRESSES = 100_000
COMPARED = 10_000
HZ = 999


def symbol_costs(names, binary, folder, rounds):
    """Rows: for each tool, wall and CPU time, peak memory, how often it means our function."""
    addresses = os.path.join(folder, "addresses")
    write_addresses(binary, addresses, ADDRESSES)
    tools = found_tools(names, binary, os.path.join(folder, "cache"))
    Run(tools["sigspy, warm"], stdin=addresses)  # fills its cache
    runs = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool in random.sample(list(tools), len(tools)):
            runs[tool].append(Run(tools[tool], stdin=addresses))
    compared = os.path.join(folder, "compared")
    write_addresses(binary, compared, COMPARED)
    ours = frames(Run(tools["sigspy, cold"], stdin=compared).output)
    for tool, of_tool in runs.items():
        theirs = frames(demangled(raw(tools[tool], compared)))
        yield (
            tool,
            spread([run.wall for run in of_tool], "{:.2f} s"),
            spread([run.cpu for run in of_tool], "{:.2f} s"),
            f"{max(run.peak_kib for run in of_tool) / 1024:.0f} MiB",
            agreement(ours, theirs, 0),
            agreement(ours, theirs, -1),
        )


def found_tools(names, binary, cache):
    """By name, the commands of the tools that are installed."""
    tools = {
        "sigspy, cold": [names, binary],
        "sigspy, warm": [names, binary, cache],
        "addr2line": ["addr2line", "-afiC", "-e", binary],
        "llvm-symbolizer": ["llvm-symbolizer", "--output-style=GNU", "--print-address"]
        + ["--inlining", "--functions", "--demangle", f"--obj={binary}"],
    }
    return {tool: command for tool, command in tools.items() if shutil.which(command[0])}


def raw(command, addresses):
    """What a tool prints with names as they are in the file, where it can."""
    command = ["--no-demangle" if word == "--demangle" else word for word in command]
    command = ["-afi" if word == "-afiC" else word for word in command]
    return Run(command, stdin=addresses).output


def demangled(text):
    run = subprocess.run(["c++filt"], input=text, capture_output=True, text=True, check=True)
    return run.stdout


def write_addresses(binary, path, count):
    """Writes distinct random addresses of .text, hexadecimal."""
    headers = subprocess.run(["readelf", "-SW", binary], capture_output=True, text=True, check=True)
    found = re.search(r"\s\.text\s+PROGBITS\s+(\w+)\s+\w+\s+(\w+)", headers.stdout)
    start, size = (int(number, 16) for number in found.groups())
    chosen = random.Random(count).sample(range(start, start + size), min(count, size))
    with open(path, "w") as file:
        file.writelines(f"0x{address:x}\n" for address in chosen)


def frames(text):
    """Names by address, innermost first, in the format of addr2line."""
    by_address, names = {}, []
    lines = iter(text.splitlines())
    for line in lines:
        if re.fullmatch(r"0x[0-9a-f]+", line):
            names = by_address.setdefault(int(line, 16), [])
        else:
            names.append(plain(line))
            next(lines, None)  # file and line
    return by_address


def plain(name):
    """The last part of a name, without what is spelled differently: arguments, closures."""
    name = re.sub(r"::h[0-9a-f]{16}\b|\[[^]]*\]|@.*", "", name).replace("->", "")
    depth, kept = 0, []
    for character in name:
        depth -= character in ">)"
        if depth == 0 and character not in "<>()":
            kept.append(character)
        depth += character in "<("
    parts = [part for part in "".join(kept).split("::") if part and not part.startswith("{")]
    return parts[-1].split(" ")[-1] if parts else name


def agreement(ours, theirs, index):
    """The share of addresses that both know and name alike."""
    both = [at for at in ours if known(theirs.get(at), index) and known(ours[at], index)]
    same = sum(ours[at][index] == theirs[at][index] for at in both)
    return f"{same / len(both):.2%}" if both else "none known"


def known(names, index):
    return bool(names) and names[index] != "??" and "+0x" not in names[index]


def recording_costs(sigspy, names, binary, folder, rounds):
    """Rows: the same program, recorded by perf and by sigspy, and names for all of it."""
    addresses = os.path.join(folder, "recorded")
    write_addresses(binary, addresses, ADDRESSES)
    program = ["sh", "-c", f"exec '{names}' '{binary}' < '{addresses}' > '{folder}/names'"]
    of_sigspy, of_perf = os.path.join(folder, "names.sigspy"), os.path.join(folder, "names.perf")
    rate = ["-F", str(HZ)]
    Run([sigspy, "record", "--symbols", "later", *rate, "-o", of_sigspy, "--", *program])
    fresh = {"XDG_CACHE_HOME": os.path.join(folder, "no-cache")}
    kept = {"XDG_CACHE_HOME": os.path.join(folder, "cache")}
    symbolize = [sigspy, "symbolize", "--renew", of_sigspy]
    variants = {
        "sigspy symbolize, cold": (symbolize, fresh),
        "sigspy symbolize, warm": (symbolize, kept),
    }
    script = ["perf", "script", "-i", of_perf]
    try:
        perf = ["perf", "record", "-q", *rate, "-g", "-o", of_perf, "--", *program]
        subprocess.run(perf, capture_output=True, check=True)
        variants["perf script --no-inline, no lines"] = ([*script, "--no-inline"], {})
        variants["perf script -F +srcline"] = ([*script, "-F", "+srcline"], {})
    except (OSError, subprocess.CalledProcessError):
        yield "perf script", "does not work here", ""
    Run(symbolize, kept)
    for name, (command, env) in variants.items():
        runs = []
        for _ in range(rounds):
            shutil.rmtree(fresh["XDG_CACHE_HOME"], ignore_errors=True)
            runs.append(Run(command, env))
        peak = max(run.peak_kib for run in runs) / 1024
        yield name, spread([run.wall for run in runs], "{:.2f} s"), f"{peak:.0f} MiB"
