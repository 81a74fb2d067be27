"""What `sigspy check` says of versions of a real program: rates of right and wrong answers."""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from runs import table

PROGRAMS = "tests/programs"
CHANGED = ("edit_distance", "index::edit_distance")
# Loops take as long wherever they are: a build that only moves one may change its speed.
BUILDS = {
    "C++": ["c++", "-std=c++17", "-O2", "-g", "-falign-functions=64", "-falign-loops=64"],
    "Rust": ["rustc", "--edition=2024", "-O", "-g"]
    + ["-Cllvm-args=-align-all-functions=6 -align-loops=64"],
}
SOURCES = {"C++": "index.cpp", "Rust": "index.rs"}
ORDER = {
    "C++": ["-ffunction-sections", "-Wl,--sort-section=name"],
    "Rust": ["-Clink-arg=-Wl,--sort-section=name"],
}
# What is compared with what, None being the program as it is, and whether it is slower.
VERSIONS = {
    "unchanged": (None, None, False),
    "one function +10 %": (None, "slower_10", True),
    "one function +20 %": (None, "slower_20", True),
    "one function +50 %": (None, "slower_50", True),
    "function renamed": (None, "renamed", False),
    "function moved to another file or module": (None, "moved", False),
    "function inlined": (None, "inlined", False),
    "work moved from caller to callee": (None, "shifted", False),
    "work moved from callee to caller": ("shifted", None, False),
    "functions linked in another order": (None, "order", False),
}


def build(language, change, folder):
    """The path of a version of the program."""
    path = os.path.join(folder, f"index-{language}-{change}")
    flags = {None: [], "order": ORDER[language]}.get(change)
    if flags is None:
        flags = [f"-D{change.upper()}"] if language == "C++" else ["--cfg", change]
    source = os.path.join(PROGRAMS, SOURCES[language])
    subprocess.run([*BUILDS[language], source, *flags, "-o", path], check=True)
    return path


def checked(arguments, base, head):
    """The result of one check."""
    with tempfile.TemporaryDirectory() as folder:
        result = os.path.join(folder, "result.json")
        command = [arguments.sigspy, "check", "-F", "997", "--runs", str(arguments.runs)]
        command += ["--work", "work", "--no-ci", "--json", result, "--base", base, "--head", head]
        run = subprocess.run([*command, "--", str(arguments.rounds)], capture_output=True)
        if run.returncode not in (0, 1, 3):
            sys.exit(f"{command} failed:\n{run.stderr.decode()}")
        with open(result) as file:
            return json.load(file)


def blamed(result):
    """Names of what is a regression; that of the whole program is empty."""
    found = [one["subject"] for one in result["findings"] if one["standing"] == "regression"]
    return [subject.get("function", {}).get("function", "") for subject in found]


def of_version(arguments, language, name):
    """A row of the table."""
    *changes, is_slower = VERSIONS[name]
    base, head = (build(language, change, arguments.folder) for change in changes)
    results = [checked(arguments, base, head) for _ in range(arguments.checks)]
    names = [blamed(result) for result in results]

    def rate(is_it):
        return f"{sum(map(is_it, results, names))} of {len(results)}"

    right = lambda found: is_slower and found in CHANGED
    return (
        language,
        name,
        rate(lambda result, _: result["verdict"] == "regression"),
        rate(lambda _, names: any(map(right, names))) if is_slower else "",
        rate(lambda _, names: any(found and not right(found) for found in names)),
        rate(lambda _, names: "" in names),
        rate(lambda result, _: result["verdict"] == "inconclusive"),
        seen(results),
    )


def seen(results):
    """The middle one of what the checks say of a third of the program: from where it is seen."""
    effects = [one["slowdown"] for it in results for one in it["comparison"]["detectable"][:1]]
    return f"+{sorted(effects)[len(effects) // 2] * 100:.0f} %" if effects else "none"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sigspy", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--checks", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--neighbour", action="store_true")
    arguments = parser.parse_args()
    head = ["language", "version", "fails", "finds the function", "blames others"]
    head += ["finds the program", "cannot tell", "would see, of 30 %"]
    rows = (of_version(arguments, language, name) for language in BUILDS for name in VERSIONS)
    title = f"Checks of {arguments.runs} runs of {arguments.rounds} rounds"
    if not arguments.neighbour:
        return table(title, head, rows)
    path = os.path.join(arguments.folder, "neighbour")
    source = os.path.join(PROGRAMS, "neighbour.c")
    subprocess.run(["cc", "-O2", "-pthread", source, "-o", path], check=True)
    neighbour = subprocess.Popen([path])
    try:
        table(f"{title}, beside a neighbour", head, rows)
    finally:
        neighbour.kill()


main()
