#!/bin/bash
# What a cluster costs: CPU of a router and of a node for an order and a refusal, direct and
# routed, in turns; orders for a second of CPU with 1, 2 and 4 nodes; how many orders need a
# transfer; the last units. On the server that test/server.sh gave us, which is the router;
# the nodes have servers of their own beside it.
set -euo pipefail
cd "$(dirname "$0")"
. ./common.sh
: "${NODES:=1 2 4}" "${CLIENTS:=16}"
users=8000
router_port=$PGPORT
failed=0
start_measuring

on_node() { PGPORT=$((router_port + $1)) "${@:2}"; }
stop_nodes()
{
	for data in "$SCRATCH"/node*/; do
		[ ! -f "$data/postmaster.pid" ] || pg_ctl -D "$data" -s -m immediate stop || :
	done
}
trap stop_nodes EXIT

# new_cluster COUNT: so many nodes with equal parts of users and of all options' stock, and
# the router in front of them.
new_cluster()
{
	stop_nodes
	rm -rf "$SCRATCH"/node*
	run_sql -c 'DROP EXTENSION IF EXISTS commerce_router CASCADE' -c 'CREATE EXTENSION commerce_router CASCADE' 2>/dev/null
	count=$1 first_id=
	for n in $(seq "$count"); do
		initdb -D "$SCRATCH/node$n" -U postgres -A trust --no-locale -E UTF8 --no-sync --no-instructions >/dev/null
		cat >>"$SCRATCH/node$n/postgresql.conf" <<-SETTINGS
			listen_addresses = ''
			unix_socket_directories = '$PGHOST'
			wal_level = logical
			shared_preload_libraries = commerce
			shared_buffers = 256MB
			max_wal_size = 16GB
			checkpoint_timeout = 1h
			commerce.notify = off
		SETTINGS
		pg_ctl -D "$SCRATCH/node$n" -l "$SCRATCH/node$n.log" -s -w -o "-p $((router_port + n))" start
		on_node "$n" run_sql <<-SQL
			CREATE EXTENSION commerce;
			CREATE ROLE router LOGIN;
			SELECT commerce.grant_access('router', 'router');
			SELECT count(*) FROM commerce.join_cluster($n, '{[$(((n - 1) * 4096 / count)),$((n * 4096 / count)))}',
				${first_id:-NULL}, force => true);
			SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
			FROM generate_series(1, $users) id, commerce.cluster_membership m
			WHERE get_bit(m.buckets, commerce.bucket(id)) = 1;
		SQL
		first_id=$(on_node "$n" run_sql -c 'SELECT first_id FROM commerce.cluster_membership')
		[ "$n" != 1 ] || on_node 1 run_sql -c 'SELECT commerce.publish_catalogue()'
		[ "$n" = 1 ] || on_node "$n" run_sql -c "CREATE SUBSCRIPTION commerce_node_$n CONNECTION
			'host=$PGHOST port=$((router_port + 1)) user=postgres dbname=postgres'
			PUBLICATION commerce_catalogue WITH (synchronous_commit = local)" 2>/dev/null
		run_sql -c "SELECT count(*) FROM commerce_router.add_node('host=$PGHOST port=$((router_port + n)) dbname=postgres user=router',
			$([ "$n" = 1 ] && echo true || echo false))"
	done >/dev/null
	run_sql -c "SELECT count(commerce.create_product('shirt', 1))" \
		-c "SELECT count(commerce.create_product_option(1, 'option ' || n, 100, 1000000, n)) FROM generate_series(1, 20) n" \
		-c "SELECT count(commerce.create_product_option(1, 'gone', 100, 0, 1000))" \
		-c "SELECT count(commerce_router.gather('stock', n, 500000, 2)) FROM generate_series(1, 20) n WHERE $count > 1" >/dev/null
}

# Seconds of CPU that all processes of a server's have used.
used_by() # POSTMASTER-PID-FILE
{
	{ cat /proc/[0-9]*/stat 2>/dev/null || :; } | awk -v postmaster="$(head -n 1 "$1")" -v tick="$(getconf CLK_TCK)" '
		{ id = $1; sub(/.*\) /, ""); if ($2 == postmaster || id == postmaster) used += $12 + $13 + $14 + $15 }
		END { print used / tick }'
}
used() # COUNT: the router, then all nodes
{
	used_by "$PGDATA/postmaster.pid"
	for n in $(seq "$1"); do used_by "$SCRATCH/node$n/postmaster.pid"; done | awk '{ n += $1 } END { print n }'
}

cat >"$SCRATCH/order.pgbench" <<-'SQL'
	\set user_id random(1, 8000)
	\set option_id random(1, 20)
	SELECT order_id FROM commerce.place_order(:user_id, ('[{"option_id":' || :option_id || ',"quantity":1}]')::jsonb);
SQL

# cpu WHERE COUNT SECONDS: prints orders, and microseconds of CPU an order of the router and
# of the nodes.
cpu()
{
	local port=$router_port before after orders
	[ "$1" = routed ] || port=$((router_port + 1))
	before=$(used "$2" | xargs)
	PGPORT=$port pgbench_ok "$SCRATCH/pgbench.log" -c "$CLIENTS" -T "$3" -f "$SCRATCH/order.pgbench" || failed=1
	after=$(used "$2" | xargs)
	orders=$(processed "$SCRATCH/pgbench.log")
	echo "$orders $before $after" | awk '{ printf "%d %.0f %.0f\n", $1, ($4 - $2) / $1 * 1e6, ($5 - $3) / $1 * 1e6 }'
}

echo
echo "### A cluster"
echo
echo "| place_order, 1 line, $CLIENTS clients | nodes | orders | router, μs of CPU an order | nodes, μs | orders for a second of CPU |"
echo "|---|---:|---:|---:|---:|---:|"
for count in $NODES; do
	say "A cluster of $count"
	new_cluster "$count"
	sides=routed
	[ "$count" != 1 ] || sides="direct routed"
	for side in $sides; do cpu "$side" "$count" 2 >/dev/null; rm -f "$SCRATCH/$side.cpu"; done
	for round in $(seq "$ROUNDS"); do
		for side in $sides; do cpu "$side" "$count" "$SECONDS_EACH" >>"$SCRATCH/$side.cpu"; done
	done
	for side in $sides; do
		sort -n -k 3 "$SCRATCH/$side.cpu" | awk -v side="$side" -v count="$count" '
			{ orders += $1; router[NR] = $2; nodes[NR] = $3 }
			END { n = int((NR + 1) / 2); printf "| %s | %d | %d | %d | %d | %d |\n", side, count, orders,
				side == "direct" ? 0 : router[n], nodes[n], 1e6 / (nodes[n] + (side == "direct" ? 0 : router[n])) }'
	done
	if [ "$count" != 1 ]; then
		transfers=$(for n in $(seq "$count"); do on_node "$n" run_sql -c 'SELECT count(*) FROM commerce.transfers_out'; done | awk '{ n += $1 } END { print n }')
		orders=$(for n in $(seq "$count"); do on_node "$n" run_sql -c 'SELECT count(*) FROM commerce.orders'; done | awk '{ n += $1 } END { print n }')
		notes="${notes:-}
- with $count nodes $orders orders made $transfers transfers, those that shared the stock out first among them"
		bad=$(run_sql -c 'SELECT count(*) FROM commerce.verify()')
		[ "$bad" = 0 ] || { failed=1; notes="$notes
- **INVALID**: $bad invariants violated"; }
	fi
done
echo "${notes:-}"
machine
exit $failed
