# Zstandard: files there and back with several threads. The long form runs the programs that its
# own `make check` builds, from the source package.
needs="zstd:zstd"
[ -z "$full" ] || needs+=" cc:gcc make:make dpkg-source:dpkg-dev"

prepare() {
    [ -n "$full" ] || return 0
    debian_source libzstd
    make -C libzstd-*/tests -j2 fuzzer zstreamtest datagen
}

# compress LEVEL THREADS: with one thread or many, the output of a level is always the same.
compress() {
    profiled "compress-$1-$2" zstd -q -T"$2" -B524288 "-$1" -c input
}

# With the same seed each makes the same tests. How often it says which one it is at is up to the
# clock.
own_test() {
    local program=$1
    shift
    profiled "$program" "$once"/libzstd-*/tests/"$program" "$@" | tr '\r' '\n' | grep -v '^ *[0-9]*/'
}

tests() {
    local level threads
    seq 600000 | awk '{ print $1 * 7919 % 65537, $1 % 1000 }' > input
    for level in 1 3 9; do
        for threads in 1 2 8; do
            check "compress-$level-$threads" compress $level $threads
            check "back-$level-$threads" profiled "back-$level-$threads" \
                zstd -q -d -c "compress-$level-$threads.output"
        done
    done
    check train profiled train zstd -q --train -B1024 --maxdict=16384 -c input
    [ -z "$full" ] || {
        check fuzzer own_test fuzzer -s1 -t1 -i600
        check zstreamtest own_test zstreamtest -s1 -t1 -i600
    }
}
