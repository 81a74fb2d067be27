# Redis: its own benchmark against a profiled server that saves in the background, which is a fork,
# and rewrites its journal; then everything in memory is compared with what was loaded from disk.
needs="redis-server:redis-server redis-cli:redis-tools redis-benchmark:redis-tools"

port=7391

client() { redis-cli -p $port "$@"; }

# Starts the server, in the folder of this run, and waits until it has loaded its data.
start_server() {
    profiled "$1" redis-server --port $port --save "" --appendonly yes --dir "$PWD" \
        --daemonize no --io-threads 2 --enable-debug-command local > "$1.log" &
    server=$!
    until client ping 2> /dev/null | grep -q PONG; do
        kill -0 $server || return
        sleep 0.1
    done
}

# Ends the server; the verdict is its exit status.
stop_server() {
    local status=0
    client shutdown save > /dev/null || true
    wait $server || status=$?
    verdict "$1" $status
}

# Waits for what the server does in the background.
wait_for_saving() {
    while client info persistence |
        grep -Eq '^(rdb_bgsave_in_progress|aof_rewrite_in_progress|aof_rewrite_scheduled):1'; do
        sleep 0.1
    done
}

# redis-benchmark [-t TESTS]: its output without the figures.
benchmark() {
    redis-benchmark -p $port -c 20 -P 8 -n $requests -q -r 10000 -d 100 "$@" |
        tr '\r' '\n' | sed -n 's/: .* requests per second.*/: done/p'
}

# Values that do not depend on the order in which clients come.
fill() {
    seq $((requests / 4)) | awk '{
        print "set string:" $1, $1 * $1
        print "hset hash:" $1 % 100, $1, $1 * 7
        print "rpush list:" $1 % 10, $1
        print "zadd sorted", $1 * 7919 % 65536, $1
    }' | client | sort | uniq -c
    client eval "local n = 0; for i = 1, 1000000 do n = (n * 31 + i) % 65521 end; return n" 0
}

saving() {
    local what
    for what in bgsave bgrewriteaof; do
        client "$what"
        wait_for_saving
        client info persistence | grep -E '^(rdb_last_bgsave_status|aof_last_bgrewrite_status)' |
            tr -d '\r'
    done
}

digest() { client debug digest; }

tests() {
    requests=${full:+1000000}
    requests=${requests:-50000}
    start_server first || return
    local data
    check fill fill
    check digest digest
    check saving saving
    data=$(digest)
    stop_server first-exit
    start_server second || return
    check loaded test "$(digest)" = "$data"
    check benchmark benchmark -t ping,set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset
    client bgsave > /dev/null
    check benchmark-while-saving benchmark -t set,get,zadd
    check saving-again saving
    stop_server second-exit
}
