# Java: the compiler, and a program with many threads on each of three garbage collectors.
needs="java:default-jdk-headless javac:default-jdk-headless"

# A source file of many methods, for the compiler to have something to do.
big_source() {
    seq 2000 | awk 'BEGIN { print "class Big {" } {
        printf "static long f%d(long[] a) { long s = %d; for (long x : a) s = s * %d + (x ^ s);", $1, $1, $1
        print " return java.util.Arrays.stream(a).map(x -> x * x).filter(x -> x % 3 == 0).sum() + s; }"
    } END { print "}" }' > Big.java
}

compile() {
    profiled "$1" javac -d classes "$2" || return
    find classes -type f | sort | xargs sha256sum
}

# The program ends with 5.
run_threads() {
    local status=0
    profiled "$1" java "-XX:+Use$1GC" -Xmx256m -cp classes Threads ${full:-0} || status=$?
    [ $status = 5 ]
}

tests() {
    local collector
    big_source
    check compile compile compile Big.java
    check compile-threads compile compile-threads "$suites/Threads.java"
    for collector in Serial Parallel G1; do
        check "$collector" run_threads "$collector"
    done
}
