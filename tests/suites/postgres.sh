# PostgreSQL: pgbench against a server that is profiled whole, with all of its processes; then what
# pgbench left in the tables, which does not depend on who came first.
needs="/usr/lib/postgresql/*/bin/postgres:postgresql /usr/lib/postgresql/*/bin/pgbench:postgresql"

bin() { echo /usr/lib/postgresql/*/bin/"$1"; }

client() {
    local name=$1
    shift
    PGHOST=$PWD PGUSER=postgres PGDATABASE=postgres "$(bin "$name")" "$@"
}

query() { client psql -XAt -c "$1" 2>&1; }

# A query that has to be refused.
refused() { ! query "$1"; }

# pgbench with the same random numbers in each run: its output without the figures.
benchmark() {
    client pgbench -c 4 -j 2 -t $transactions --random-seed=1 -n "$@" |
        grep -E '^number of (transactions actually processed|failed transactions)'
}

# A server with a folder of its own, that listens to a socket there. It refuses to run as root.
start_server() {
    local name
    [ "$(id -u)" != 0 ] ||
        through=(setpriv --reuid postgres --regid postgres --clear-groups env HOME="$PWD")
    "${through[@]}" "$(bin initdb)" -D "$PWD/data" -U postgres -A trust -E UTF8 --locale C 1>&2
    profiled server "$(bin postgres)" -D "$PWD/data" -k "$PWD" -c listen_addresses= -c fsync=off \
        -c autovacuum_naptime=1s -c max_parallel_workers_per_gather=2 -c parallel_setup_cost=0 \
        -c min_parallel_table_scan_size=0 -c parallel_tuple_cost=0 -c max_wal_size=64MB 1>&2 &
    server=$!
    until client pg_isready -q; do
        kill -0 $server || return
        sleep 0.1
    done
}

# From the highest to the lowest, all are the same sum; the last one is how many there were.
balances() {
    query "select sum(abalance) from pgbench_accounts union all
        select sum(bbalance) from pgbench_branches union all
        select sum(tbalance) from pgbench_tellers union all
        select sum(delta) from pgbench_history union all select count(*) from pgbench_history"
}

tests() {
    local status=0
    transactions=${full:+5000}
    transactions=${transactions:-500}
    start_server || return
    check initialise client pgbench -i -q -s 4
    check transactions benchmark
    check transactions-anew benchmark -C -t 50
    check balances balances
    check prepared benchmark -M prepared -S
    check parallel query "select abalance % 10, count(*), sum(aid) from pgbench_accounts
        group by 1 order by 1"
    check sort query "select md5(string_agg(md5(aid::text), '' order by md5(aid::text)))
        from pgbench_accounts"
    check index query "create index on pgbench_accounts (abalance, aid); checkpoint"
    check vacuum client vacuumdb --analyze --full
    check timeout refused "set statement_timeout = 300; select pg_sleep(60)"
    check cancelled refused "select pg_cancel_backend(pg_backend_pid()), pg_sleep(60)"
    check terminated refused "select pg_terminate_backend(pg_backend_pid())"
    check amcheck client pg_amcheck --install-missing
    "${through[@]}" "$(bin pg_ctl)" -D "$PWD/data" -m fast stop 1>&2
    wait $server || status=$?
    verdict shutdown $status
}
