# Node.js: worker threads that share memory, child processes, compression in its thread pool.
needs="node:nodejs"

tests() {
    local test
    for test in workers children pool; do
        check "$test" profiled "$test" node "$suites/node.js" "$test"
    done
}
