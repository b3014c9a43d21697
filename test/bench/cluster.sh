#!/bin/bash
# What a cluster costs: CPU of a router and of a node for an order and a refusal, direct and
# routed, in turns; orders for a second of CPU with 1, 2 and 4 nodes; how many orders need a
# transfer before the last twentieth of the stock; how long the last 50 units take. On the
# server that test/server.sh gave us, which is the router; the nodes have servers of their own
# beside it.
set -euo pipefail
cd "$(dirname "$0")"
. ./common.sh
: "${NODES:=1 2 4}" "${CLIENTS:=16}"
users=8000
router_port=$PGPORT
failed=0
cc -O2 -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" -o "$SCRATCH/refused" refused.c -lpq
start_measuring

on_node() { PGPORT=$((router_port + $1)) "${@:2}"; }
stop_nodes()
{
	for data in "$SCRATCH"/node*/; do
		[ ! -f "$data/postmaster.pid" ] || pg_ctl -D "$data" -s -m immediate stop || :
	done
}
trap stop_nodes EXIT

# The buckets of node N of COUNT with users.
buckets()
{
	[ "$1" -lt $first ] || echo "[$((($1 - first) * 4096 / $2)),$((($1 - first + 1) * 4096 / $2)))"
}

# new_cluster COUNT: so many nodes with equal parts of the users and of all options' stock,
# and the router in front of them. One node has all; before several stands the home of the
# catalogue, which has no users.
new_cluster()
{
	stop_nodes
	rm -rf "$SCRATCH"/node*
	first=1 servers=1
	[ "$1" = 1 ] || { first=2 servers=$(($1 + 1)); }
	run_sql -c 'DROP EXTENSION IF EXISTS commerce_router CASCADE' -c 'CREATE EXTENSION commerce_router CASCADE' 2>/dev/null
	count=$1 clients=$(($1 * CLIENTS)) first_id=
	for n in $(seq $servers); do
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
			SELECT count(*) FROM commerce.join_cluster($n, '{$(buckets "$n" "$count")}', ${first_id:-NULL}, force => true);
			SELECT count(commerce.create_user('buyer', id)), count(commerce.charge_balance(id, 1000000000))
			FROM generate_series(1, $users) id, commerce.cluster_membership m
			WHERE get_bit(m.buckets, commerce.bucket(id)) = 1;
			CREATE TABLE buyers AS SELECT row_number() OVER () AS n, user_id FROM commerce.users;
			ALTER TABLE buyers ADD PRIMARY KEY (n);
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
		-c "SELECT count(commerce.create_product_option(1, 'option ' || n, 100, 0, n)) FROM generate_series(1, 20) n" \
		-c "SELECT count(commerce.create_product_option(1, 'gone', 100, 0, 1000))" \
		>/dev/null
	for n in $(seq $first $servers); do
		on_node "$n" run_sql -c "SELECT count(commerce.adjust_stock(o, 1000000)) FROM generate_series(1, 20) o"
	done >/dev/null
}

# Seconds of CPU that all processes of a server's have used.
used_by() # POSTMASTER-PID-FILE
{
	{ cat /proc/[0-9]*/stat 2>/dev/null || :; } | awk -v postmaster="$(head -n 1 "$1")" -v tick="$(getconf CLK_TCK)" '
		{ id = $1; sub(/.*\) /, ""); if ($2 == postmaster || id == postmaster) used += $12 + $13 + $14 + $15 }
		END { print used / tick }'
}
used() # the router, then all nodes
{
	used_by "$PGDATA/postmaster.pid"
	for n in $(seq $servers); do used_by "$SCRATCH/node$n/postmaster.pid"; done | awk '{ n += $1 } END { print n }'
}

cat >"$SCRATCH/order.pgbench" <<-'SQL'
	\set user_id random(1, 8000)
	\set option_id random(:first, :last)
	SELECT order_id FROM commerce.place_order(:user_id, ('[{"option_id":' || :option_id || ',"quantity":1}]')::jsonb);
SQL

# The same without a router, for the users of the node.
cat >"$SCRATCH/direct.pgbench" <<-'SQL'
	\set n random(1, :buyers)
	\set option_id random(1, 20)
	SELECT order_id FROM commerce.place_order((SELECT b.user_id FROM buyers b WHERE b.n = :n),
		('[{"option_id":' || :option_id || ',"quantity":1}]')::jsonb);
SQL

# At all nodes at once, each with its clients.
direct_orders() # SECONDS
{
	for n in $(seq $first $servers); do
		buyers=$(on_node "$n" run_sql -c 'SELECT count(*) FROM buyers')
		on_node "$n" pgbench_ok "$SCRATCH/direct.$n" -c "$CLIENTS" -T "$1" -D "buyers=$buyers" -f "$SCRATCH/direct.pgbench" &
	done
	wait
	for n in $(seq $first $servers); do
		grep -q '^number of failed transactions: 0 ' "$SCRATCH/direct.$n" || return
	done
	for n in $(seq $first $servers); do processed "$SCRATCH/direct.$n"; done | awk '{ n += $1 } END { print n + 0 }'
}

# calls WHAT WHERE SECONDS: how many there were.
calls()
{
	if [ "$1:$2" = order:direct ]; then
		direct_orders "$3"
	elif [ "$1" = order ]; then
		pgbench_ok "$SCRATCH/pgbench.log" -c "$clients" -T "$3" -D first=1 -D last=20 -f "$SCRATCH/order.pgbench" || return
		processed "$SCRATCH/pgbench.log"
	else
		PGPORT=$port "$SCRATCH/refused" "$clients" "$3" SC301 $users \
			"SELECT * FROM commerce.place_order(\$1, '[{\"option_id\":1000,\"quantity\":1}]')" |
			awk -v seconds="$3" '{ printf "%d\n", $1 * seconds }'
	fi
}

# cpu WHAT WHERE: prints calls, and microseconds of CPU a call of the router and of the nodes:
# of a long run, less those of a short one. What it takes to connect each session to each
# node is in both.
cpu()
{
	local port=$router_port before between after few many
	[ "$2" = routed ] || port=$((router_port + 1))
	before=$(used | xargs)
	few=$(calls "$1" "$2" 3) || failed=1
	between=$(used | xargs)
	many=$(calls "$1" "$2" $((3 + 2 * SECONDS_EACH))) || failed=1
	after=$(used | xargs)
	echo "${few:-0} ${many:-0} $before $between $after" | awk '$2 <= $1 { print "0 0 0"; exit }
		{ n = ($2 - $1) / 1e6; printf "%d %.0f %.0f\n", $2 - $1, ($7 - 2 * $5 + $3) / n, ($8 - 2 * $6 + $4) / n }'
}

# cpu_lines COUNT: lines of the table, medians of all rounds.
cpu_lines()
{
	local side sides
	sides="order:direct order:routed refusal:routed"
	[ "$1" != 1 ] || sides="$sides refusal:direct"
	for side in $sides; do rm -f "$SCRATCH/$side.cpu"; done
	for round in $(seq "$ROUNDS"); do
		for side in $sides; do cpu "${side%:*}" "${side#*:}" >>"$SCRATCH/$side.cpu"; done
	done
	for side in $sides; do
		sort -n -k 3 "$SCRATCH/$side.cpu" | awk -v side="$side" -v count="$1" '
			BEGIN { split(side, part, ":") }
			{ calls += $1; router[NR] = part[2] == "direct" ? 0 : $2; nodes[NR] = $3 }
			END {
				n = int((NR + 1) / 2)
				if (!nodes[n]) { print "| " part[1] ", " part[2] " | " count " | **INVALID** |"; exit 1 }
				printf "| %s, %s | %d | %d | %d | %d | %.2f | %d |\n", part[1], part[2], count, calls,
					router[n], nodes[n], router[n] / nodes[n], 1e6 / (nodes[n] + router[n])
			}'
	done
}

# at_all_nodes SQL: the sum of what they answer.
at_all_nodes()
{
	for n in $(seq $servers); do on_node "$n" run_sql -c "$1"; done | awk '{ n += $1 } END { print n + 0 }'
}

# sell_most COUNT OPTION HOW: sells 95 of 100 units, and prints what share of the orders
# needed a transfer. Each node has its part, or the first has all.
sell_most()
{
	local stock=10000 orders transfers option=$2
	run_sql -c "SELECT count(commerce.create_product_option(1, '$3', 100, 0, $option))" >/dev/null
	for n in $(seq $first $servers); do
		[ "$3" = evenly ] || [ "$n" = $first ] || continue
		on_node "$n" run_sql -c "SELECT count(commerce.adjust_stock($option, $([ "$3" = evenly ] && echo $((stock / $1)) || echo $stock)))"
	done >/dev/null
	pgbench_ok "$SCRATCH/pgbench.log" -c "$clients" -t $((stock * 95 / 100 / clients)) -D "first=$option" -D "last=$option" \
		-f "$SCRATCH/order.pgbench" || failed=1
	orders=$(processed "$SCRATCH/pgbench.log")
	transfers=$(at_all_nodes "SELECT count(*) FROM commerce.transfers_out WHERE counter = 'stock' AND object_id = $option")
	echo "$orders $transfers" | awk -v count="$1" -v how="$3" '{
		printf "- %d nodes, stock %s: %d of the first %d orders of %d units needed a transfer, %.2f %%\n",
			count, how == "evenly" ? "in equal parts" : "at one of them", $2, $1, '$stock', 100 * $2 / $1 }'
}

# look COUNT: how long it takes to ask all nodes what they have of an option, one session.
look()
{
	echo "SELECT count(*) FROM commerce_router.sweep('stock', 1000);" >"$SCRATCH/look.pgbench"
	pgbench_ok "$SCRATCH/pgbench.log" -c 1 -j 1 -t 500 -f "$SCRATCH/look.pgbench" || failed=1
	sed -n "s/^latency average = \(.*\)/- $1 nodes and the home of the catalogue: all are asked what they have of an option in \1/p" "$SCRATCH/pgbench.log"
}

# last_units COUNT: 8 buyers for 50 units, all at one node, once a round.
last_units()
{
	local option transfers=0
	rm -f "$SCRATCH"/last.*
	for round in $(seq "$ROUNDS"); do
		option=$((2000 + round))
		run_sql -c "SELECT count(commerce.create_product_option(1, 'last', 100, 0, $option))" >/dev/null
		on_node $first run_sql -c "SELECT count(commerce.adjust_stock($option, 50))" >/dev/null
		pgbench_ok "$SCRATCH/pgbench.log" -c 8 -t 6 -D "first=$option" -D "last=$option" -l --log-prefix="$SCRATCH/last" \
			-f "$SCRATCH/order.pgbench" || failed=1
		cat "$SCRATCH"/last.* >>"$SCRATCH/latencies.$1"
		rm -f "$SCRATCH"/last.*
	done
	transfers=$(at_all_nodes "SELECT count(*) FROM commerce.transfers_out WHERE object_id > 2000")
	sort -n -k 3 "$SCRATCH/latencies.$1" | awk -v count="$1" -v transfers="$transfers" -v rounds="$ROUNDS" '
		{ ms[NR] = $3 / 1000 }
		END { printf "- %d nodes, the last 50 units and 8 buyers, %d times: %d orders, median %.1f ms, 95 %% within %.1f ms, the longest %.1f ms; %d transfers\n",
			count, rounds, NR, ms[int((NR + 1) / 2)], ms[int(NR * 0.95)], ms[NR], transfers }'
}

echo
echo "### A cluster"
echo
echo "| place_order, 1 line, $CLIENTS clients a node | nodes | calls | router, μs of CPU a call | nodes, μs | router / nodes | calls for a second of CPU |"
echo "|---|---:|---:|---:|---:|---:|---:|"
notes=$SCRATCH/notes
: >"$notes"
for count in $NODES; do
	say "A cluster of $count"
	new_cluster "$count"
	cpu_lines "$count"
	[ "$count" != 1 ] || continue
	{
		sell_most "$count" 1001 evenly
		sell_most "$count" 1002 unevenly
		look "$count"
		last_units "$count"
		expect "invariants violated in a cluster of $count" 0 "$(run_sql -c 'SELECT count(*) FROM commerce.verify()')"
	} >>"$notes"
done
echo
cat "$notes"
machine
exit $failed
