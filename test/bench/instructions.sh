#!/bin/sh
# CPU instructions per order: instructions.sh [ORDERS [LINES]], 1000 orders of one
# line each unless told. By itself or through test/server.sh; needs valgrind.
#
# One backend without a server (postgres --single) under callgrind, fed with one
# SELECT an order. It warms up first: what is counted lies between the calls of two
# functions that nothing else calls. The first row has all that an order takes in
# the backend: parsing and planning of the SELECT, the call, the commit, printing
# the row. The second has the call alone. Neither has what the kernel does, waiting,
# or notifying anybody.
#
# With CALLGRIND=folder, one that the server's user may write to, the profiles are left
# there for callgrind_annotate.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -n "${SCRATCH:-}" ] || exec "$here/../server.sh" "test/bench/$(basename "$0")" "$@"
cd "$here"

orders=${1:-1000}
lines=${2:-1}
warm_up=500
data=$SCRATCH/single

# The server that runs has other settings, and shall not stop: one of our own.
fill()
{
	rm -rf "$data"
	initdb -D "$data" -U postgres -A trust --no-locale -E UTF8 --no-sync \
		--no-instructions >/dev/null
	cat >>"$data/postgresql.conf" <<-SETTINGS
		fsync = off
		shared_buffers = 256MB
		listen_addresses = ''
		commerce.notify = off
	SETTINGS
	pg_ctl -D "$data" -l "$data/log" -s -w start -o "-p 5433 -k $PGHOST"
	single_sql -f tuned.sql -f usual.sql -f setup.sql >/dev/null
	# Every user has an order: foreign keys are not checked by plans for empty tables,
	# and indexes have split the full pages that setup.sql left.
	for schema in commerce usual tuned; do
		calls $schema 10000 0 | sed 's/$/;/' | single_sql >/dev/null
	done
	single_sql -c 'VACUUM ANALYZE'
	pg_ctl -D "$data" -s -w stop
}
single_sql() { PGPORT=5433 psql -X -q -v ON_ERROR_STOP=1 "$@"; }

# calls SCHEMA WARM_UP ORDERS: orders of different users for different options, with the
# marks.
calls()
{
	awk -v schema="$1" -v warm_up="$2" -v orders="$3" -v lines="$lines" 'BEGIN {
		for (i = 1; i <= warm_up + orders; i++) {
			items = ""
			for (line = 1; line <= lines; line++)
				items = items (line > 1 ? "," : "") "{\"option_id\":" \
					1 + (i * 7919 + line * 3001) % 10000 ",\"quantity\":1}"
			printf "SELECT * FROM %s.place_order(%d, \047[%s]\047)\n",
				schema, 1 + i * 104729 % 10000, items
			if (i == warm_up)
				print "SELECT pg_conf_load_time()"
		}
		print "SELECT pg_postmaster_start_time()"
	}'
}

# count SCHEMA: prints the instructions per order, of all and of the call.
count()
{
	profile=$SCRATCH/callgrind.$1.$lines
	calls "$1" $warm_up "$orders" | valgrind --tool=callgrind --callgrind-out-file="$profile" \
		--dump-before=pg_conf_load_time --dump-before=pg_postmaster_start_time \
		"$(command -v postgres)" --single -D "$data" postgres \
		>"$SCRATCH/single.out" 2>"$SCRATCH/single.err"
	placed=$(grep -c '1: order_id = ' "$SCRATCH/single.out" || :)
	if [ "$placed" != $((warm_up + orders)) ]; then
		grep -h 'ERROR\|FATAL\|valgrind:' "$SCRATCH/single.err" | head -n 5 >&2
		echo "of $((warm_up + orders)) orders of $1, $placed succeeded" >&2
		return 1
	fi
	# Calls that began before the first mark count 0, which callgrind_annotate takes
	# for no calls.
	sed 's/^calls=0 /calls=1 /' "$profile.2" >"$profile"
	[ -z "${CALLGRIND:-}" ] || cp "$profile" "$CALLGRIND"
	callgrind_annotate --inclusive=yes --threshold=100 "$profile" | tr -d , |
		awk -v orders="$orders" '
			/PROGRAM TOTALS/ { all = $1 }
			/:ExecMakeTableFunctionResult / { call = $1 }
			END {
				if (all == 0 || call == 0 || call > all)
					exit 1
				printf "%.0f %.0f\n", all / orders, call / orders
			}'
}

fill
counts=
for schema in commerce usual tuned; do
	counts="$counts $(count $schema)"
done
row() # TITLE OURS USUAL TUNED
{
	echo "$2 $3 $4" | awk -v title="$1" '{
		printf "| %s | %d | %d: **%.2f** | %d: **%.2f** |\n",
			title, $1, $2, $2 / $1, $3, $3 / $1 }'
}
# shellcheck disable=SC2086 # three pairs
set -- $counts
title="CPU instructions per order, $lines line$([ "$lines" = 1 ] || echo s)"
row "$title" "$1" "$3" "$5"
row "$title, the call alone" "$2" "$4" "$6"
