# SQLite: thousands of statements with the shell, by one process and by two that share a database.
# The long form runs the test suite of SQLite itself, from the source package.
needs="sqlite3:sqlite3"
[ -z "$full" ] || needs+=" cc:gcc make:make dpkg-source:dpkg-dev /usr/lib/*/libtcl8.6.so:tcl8.6-dev
    /usr/share/doc/zlib1g-dev:zlib1g-dev"

statements() {
    awk -v count="$1" 'BEGIN {
        print "pragma journal_mode = wal; create table t (n integer primary key, a int, b text);"
        print "create index on_a on t (a); create virtual table words using fts5 (word);"
        for (i = 1; i <= count; i++) {
            x = (x * 1103515245 + 12345) % 2147483648
            if (i % 50 == 1) print "begin;"
            printf "insert into t values (%d, %d, hex(%d) || %d);\n", i, x % 1000, x, i * i
            if (i % 7 == 0) printf "update t set b = b || a where n = %d;\n", x % i
            if (i % 11 == 0) printf "delete from t where n = %d;\n", x % i
            if (i % 13 == 0) printf "insert into words values (\"%x %x\");\n", x % 5000, x % 77
            if (i % 50 == 0) print (x % 5 ? "commit;" : "rollback;")
            if (i % 500 == 0) printf "select count(*), sum(a), max(length(b)) from t where a < %d;\n", x % 1000
            if (i % 2000 == 0) print "select count(*) from words where word match \"a*\"; vacuum;"
        }
        print "with recursive c (n) as (select 1 union all select n + 1 from c where n < 300000)"
        print "  select sum(n * n % 7) from c; select a, count(*) from t group by a order by 2, 1 limit 9;"
        print "pragma integrity_check;"
    }'
}

# Two processes add to a counter, each in a thousand transactions.
contended() {
    local process
    sqlite3 shared.db "pragma journal_mode = wal; create table c (n int); insert into c values (0);"
    yes "begin immediate; update c set n = n + 1; commit;" | head -1000 > increments
    for process in 1 2; do
        { echo ".timeout 60000" && cat increments; } | profiled "contended-$process" sqlite3 shared.db &
    done
    wait -n && wait -n
    sqlite3 shared.db "select n from c; pragma integrity_check;"
}

run_statements() { statements "$1" | profiled statements sqlite3 statements.db; }

prepare() {
    [ -n "$full" ] || return 0
    debian_source sqlite3
    cd sqlite3-*/
    ./configure --with-tcl=/usr/lib/tcl8.6 --disable-shared
    make -j2 testfixture
}

# One verdict for each file of tests that SQLite calls very quick. They do not work as root.
own_tests() {
    local status=0
    [ "$(id -u)" != 0 ] ||
        through=(setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$PWD")
    profiled testfixture "$once"/sqlite3-*/testfixture "$once"/sqlite3-*/test/veryquick.test \
        > veryquick.output || status=$?
    sed -n 's/^Time: \([^ ]*\) .*/\1: passed/p; s/^! \([^ ]*\) .*/\1: failed/p' veryquick.output | sort -u
    verdict veryquick $status "$(sed -n 's/^\([0-9]* errors out of [0-9]* tests\).*/\1/p' veryquick.output)"
}

tests() {
    local count=${full:+100000}
    check statements run_statements "${count:-20000}"
    check contended contended
    [ -z "$full" ] || own_tests
}
