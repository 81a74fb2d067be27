# Go with C: a module of its own, with no others and no network. The Go tool is linked statically,
# so what is profiled are programs that it builds.
needs="go:golang-go cc:gcc"

prepare() {
    export GOCACHE=$once/cache GOPATH=$once/path GOFLAGS=-mod=mod GOPROXY=off CGO_ENABLED=1 HOME=$once
    cd "$suites/go"
    go test -c -o "$once/mixed.test" .
}

tests() {
    local name
    "$once/mixed.test" -test.list . | while read -r name; do
        check "$name" go_test "$name"
    done
}

# Its output without the times.
go_test() {
    profiled "$1" "$once/mixed.test" -test.v -test.run "^$1\$" ${full:+-test.count=20} |
        sed -E 's/ \([0-9.]+s\)//'
}
