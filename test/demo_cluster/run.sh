#!/bin/bash
# The demo of a cluster: a router, which is the server that test/server.sh gave us, and three
# nodes, each with a server of its own on the same socket directory. Fails if anything is not
# as it should be.
set -euo pipefail
cd "$(dirname "$0")"
router_port=$PGPORT

show() # FILE: prints each statement and its result
{
	psql -X -q -e -P footer=off -v ON_ERROR_STOP=1 "${@:2}" <"$1"
}
node() { PGPORT=$((router_port + $1)) "${@:2}"; }
value() { psql -X -A -t -q -v ON_ERROR_STOP=1 -c "$1"; }
expect() # WHAT EXPECTED ACTUAL
{
	[ "$2" = "$3" ] || { echo "$1: expected $2, got $3" >&2; exit 1; }
}
stop_nodes()
{
	for n in 1 2 3; do
		[ ! -f "$SCRATCH/node$n/postmaster.pid" ] || pg_ctl -D "$SCRATCH/node$n" -s -m immediate stop || :
	done
}
trap stop_nodes EXIT

start_node() # NUMBER
{
	pg_ctl -D "$SCRATCH/node$1" -l "$SCRATCH/node$1.log" -s -w -o "-p $((router_port + $1))" start
}

echo "Three nodes"
for n in 1 2 3; do
	initdb -D "$SCRATCH/node$n" -U postgres -A trust --no-locale -E UTF8 --no-sync --no-instructions >/dev/null
	cat >>"$SCRATCH/node$n/postgresql.conf" <<-SETTINGS
		listen_addresses = ''
		unix_socket_directories = '$PGHOST'
		wal_level = logical
		shared_preload_libraries = commerce
		wal_retrieve_retry_interval = 200ms
	SETTINGS
	start_node $n
done
node 1 show 1_first_node.sql
first_id=$(node 1 value "SELECT first_id FROM commerce.cluster_membership")
for n in 2 3; do
	node $n show 2_other_node.sql -v n=$n -v first_id="$first_id" \
		-v buckets="{[$(((n - 1) * 4096 / 3)),$((n * 4096 / 3)))}" \
		-v home="host=$PGHOST port=$((router_port + 1)) user=postgres dbname=postgres"
done

echo "The router"
show 3_router.sql -v socket="$PGHOST" -v port1=$((router_port + 1)) -v port2=$((router_port + 2)) \
	-v port3=$((router_port + 3))

echo "A rush: 1,000 buyers for 300 units, which node 1 has all; node 2 is killed meanwhile"
show 4_shop.sql
/usr/bin/python3 ../cluster/rush.py "" 8 1 1000 1 1 >"$SCRATCH/rush" &
rush=$!
sleep 1
pg_ctl -D "$SCRATCH/node2" -s -m immediate stop
echo "-- node 2 is killed"
sleep 1
start_node 2
echo "-- node 2 is back"
wait $rush
cat "$SCRATCH/rush"
expect "the answers" "00000 300 SC301 700" "$(grep -E '^(00000|SC)' "$SCRATCH/rush" | xargs)"

echo "What became of it"
show 5_books.sql
expect "units left" 0 "$(value "SELECT available FROM commerce.stock WHERE option_id = 1")"
expect "units sold" 300 "$(value "SELECT quantity FROM commerce.popular_products()")"
expect "violated invariants" 0 "$(value "SELECT count(*) FROM commerce.verify()")"
