"""Runs of commands and tables of what they took: what all measurements here share."""

import os
import statistics
import subprocess
import sys
import threading
import time


class Run:
    """One run of a command: wall time, CPU time, output, and peak memory of the command itself."""

    def __init__(self, command, env=None, stdin=None):
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **(env or {})},
            stdin=open(stdin) if stdin else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        errors = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
        watcher = threading.Thread(target=self._watch_memory, args=(process.pid,))
        self.peak_kib = 0
        reader.start()
        watcher.start()
        self.output = process.stdout.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        self.wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        watcher.join()
        reader.join()
        self.cpu = usage.ru_utime + usage.ru_stime
        self.peak_kib = self.peak_kib or usage.ru_maxrss  # it was gone before the first look
        if process.returncode != 0:
            sys.exit(f"{command} failed:\n{errors[0].decode()}")

    def _watch_memory(self, pid):
        """Reads the high-water mark until the process is gone; a child's memory is not in it."""
        try:
            while True:
                with open(f"/proc/{pid}/status") as status:
                    marks = [line.split()[1] for line in status if line.startswith("VmHWM")]
                if not marks:
                    return
                self.peak_kib = int(marks[0])
                time.sleep(0.01)
        except OSError:
            return


def spread(values, form):
    """The median, and between which values the middle half is."""
    if len(values) < 2:
        return form.format(values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{form.format(middle)} ({form.format(low)} to {form.format(high)})"


def table(title, head, rows):
    """Prints a table as its rows come in."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(head)} |")
    print("|" + "---|" * len(head))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
