# CPython: its own regression tests of what a profiler might disturb: signals, threads, processes.
needs="/usr/bin/python3:python3 /usr/lib/python3*/test/test_signal.py:libpython3-testsuite"

# Of these the short form has the parts that do not wait for long.
short_form="test_signal test_threading test_threadsignals test_subprocess test_fork1 test_posix
    test_thread test_asyncio test_multiprocessing_fork"
# test_siginterrupt_off waits for 30 s; what is chosen of the last two takes 10 s each.
short_filter="-i test_siginterrupt_off
    -m test.test_signal.* -m test.test_thread*.* -m test.test_subprocess.* -m test.*fork1.*
    -m test.fork_wait.* -m test.test_posix.* -m test.test_asyncio.test_subprocess.*
    -m test.test_asyncio.test_unix_events.* -m test.test_multiprocessing_fork.*Processes*Pool.*
    -m test.test_multiprocessing_fork.WithProcessesTestProcess.*"
long_form="$short_form test_faulthandler test_eintr test_wait4 test_concurrent_futures
    test_multiprocessing_spawn test_multiprocessing_forkserver test_queue test_socket test_ssl
    test_pty test_io test_mmap test_ctypes test_gc test_time test_exceptions test_sys"

tests() {
    local modules=$short_form filter=$short_filter status=0
    [ -z "$full" ] || { modules=$long_form filter=; }
    # Two test files at a time, each in a process of its own. Words are words.
    # shellcheck disable=SC2086
    (set -f && profiled python /usr/bin/python3 -m test -j2 --timeout 900 \
        --junit-xml "$PWD/results.xml" $filter $modules) 1>&2 || status=$?
    /usr/bin/python3 - results.xml <<'END'
# One line for each test: skipped or failed if there is a child element that says so.
import sys
import xml.etree.ElementTree as ElementTree

verdicts = {"failure": "failed", "error": "failed", "skipped": "skipped"}
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    found = [verdicts[child.tag] for child in case if child.tag in verdicts]
    print(case.get("name"), found[0] if found else "passed", sep=": ")
END
    verdict "test run" $status
}
