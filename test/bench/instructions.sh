#!/bin/sh
# CPU instructions per call: instructions.sh [CALLS [WHAT]], 1000 orders of one line each
# unless told. WHAT is order_LINES, charge, or refusal: an order for what is out of
# stock. By itself or through test/server.sh; needs valgrind.
#
# One backend without a server (postgres --single) under callgrind, fed with one
# SELECT a call. It warms up first: what is counted lies between the calls of two
# functions that nothing else calls. The first row has all that a call takes in
# the backend: parsing and planning of the SELECT, the call, the end of the
# transaction, printing the row. The second has the call alone, up to its error if it is
# refused. Neither has what the kernel does, waiting, or notifying anybody.
#
# With CALLGRIND=folder, one that the server's user may write to, the profiles are left
# there for callgrind_annotate.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -n "${SCRATCH:-}" ] || exec "$here/../server.sh" "test/bench/$(basename "$0")" "$@"
cd "$here"

calls=${1:-1000}
what=${2:-order_1}
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
		shared_preload_libraries = commerce
	SETTINGS
	pg_ctl -D "$data" -l "$data/log" -s -w start -o "-p 5433 -k $PGHOST"
	single_sql -f tuned.sql -f tuned_coupons.sql -f usual.sql -f usual_coupons.sql \
		-f setup.sql -v units=0 -f refusals.sql >/dev/null
	# Every user has an order: foreign keys are not checked by plans for empty tables,
	# and indexes have split the full pages that setup.sql left.
	for schema in commerce usual tuned; do
		calls order_1 $schema 10000 0 | sed 's/$/;/' | single_sql >/dev/null
	done
	single_sql -c 'VACUUM ANALYZE'
	pg_ctl -D "$data" -s -w stop
}
single_sql() { PGPORT=5433 psql -X -q -v ON_ERROR_STOP=1 "$@"; }

# calls WHAT SCHEMA WARM_UP CALLS: calls for different users, orders for different
# options, with the marks. Refusals are logged as long as it warms up.
calls()
{
	awk -v what="$1" -v schema="$2" -v warm_up="$3" -v calls="$4" '
	function order(i, lines,	items, line) {
		for (line = 1; line <= lines; line++)
			items = items (line > 1 ? "," : "") "{\"option_id\":" \
				1 + (i * 7919 + line * 3001) % 10000 ",\"quantity\":1}"
		return "place_order(%d, \047[" items "]\047)"
	}
	function call(i) {
		if (what == "charge")
			return "charge_balance(%d, 1000)"
		if (what == "refusal")
			return "place_order(%d, \047[{\"option_id\":10001,\"quantity\":1}]\047)"
		return order(i, substr(what, length("order_") + 1) + 0)
	}
	BEGIN {
		if (what == "refusal")
			print "SET commerce.log_refusals = on"
		for (i = 1; i <= warm_up + calls; i++) {
			printf "SELECT * FROM %s." call(i) "\n", schema, 1 + i * 104729 % 10000
			if (i == warm_up) {
				if (what == "refusal")
					print "SET log_min_messages = fatal"
				print "SELECT pg_conf_load_time()"
			}
		}
		print "SELECT pg_postmaster_start_time()"
	}'
}

# Were they what they should be? single.out has the rows, single.err the errors.
check_calls() # SCHEMA
{
	row='1: order_id = ' error=' ERROR: ' rows=$((warm_up + calls)) errors=0
	case $what in
	charge) row='1: user_id = ' ;;
	refusal) error=' ERROR:  SC301: ' rows=0 errors=$warm_up ;;
	esac
	if [ "$(grep -c "$row" "$SCRATCH/single.out")" != $rows ] ||
		[ "$(grep -c "$error" "$SCRATCH/single.err")" != $errors ] ||
		[ "$(grep -c ' ERROR: ' "$SCRATCH/single.err")" != $errors ]; then
		grep -h 'ERROR\|FATAL\|valgrind:' "$SCRATCH/single.err" | head -n 5 >&2
		echo "not all calls of $1 were what they should be" >&2
		return 1
	fi
}

# count SCHEMA: prints the instructions per call, of all and of the call alone.
count()
{
	profile=$SCRATCH/callgrind.$1.$what
	calls "$what" "$1" $warm_up "$calls" | valgrind --tool=callgrind \
		--callgrind-out-file="$profile" \
		--dump-before=pg_conf_load_time --dump-before=pg_postmaster_start_time \
		"$(command -v postgres)" --single -D "$data" -c log_error_verbosity=verbose postgres \
		>"$SCRATCH/single.out" 2>"$SCRATCH/single.err"
	check_calls "$1"
	# Calls that began before the first mark count 0, which callgrind_annotate takes
	# for no calls.
	sed 's/^calls=0 /calls=1 /' "$profile.2" >"$profile"
	[ -z "${CALLGRIND:-}" ] || cp "$profile" "$CALLGRIND"
	callgrind_annotate --inclusive=yes --threshold=100 "$profile" | tr -d , |
		awk -v calls="$calls" '
			/PROGRAM TOTALS/ { all = $1 }
			/:ExecMakeTableFunctionResult / { call = $1 }
			END {
				if (all == 0 || call == 0 || call > all)
					exit 1
				printf "%.0f %.0f\n", all / calls, call / calls
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
case $what in
order_1) title="order, 1 line" ;;
order_*) title="order, ${what#order_} lines" ;;
refusal) title="refused order" ;;
*) title=$what ;;
esac
title="CPU instructions per $title"
row "$title" "$1" "$3" "$5"
row "$title, the call alone" "$2" "$4" "$6"
