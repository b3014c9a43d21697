#!/bin/sh
# Orders for one hot option while another session holds an old snapshot, ours and the
# usual: on the server that test/server.sh gave us, as a table in Markdown. See
# doc/performance.md. Fails if any figure is invalid.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${SNAPSHOT_SECONDS:=$([ "${QUICK:-}" = 1 ] && echo 10 || echo 90)}"
export PGOPTIONS='-c commerce.notify=off'
clients=8
window=$(((SNAPSHOT_SECONDS + 8) / 9))

rate() # SIDE
{
	successes_per_second "$1.place_order" order_hot.pgbench "$window" $clients
}
# What is updated by each order: the rows of that option's stock.
size() # SIDE
{
	case $1 in
	commerce) table=commerce.stock_slots ;;
	*) table=$1.product_options ;;
	esac
	run_sql -c "SELECT round(pg_relation_size('$table') / 1e6, 1)"
}
snapshot=
hold_snapshot()
{
	mkfifo "$SCRATCH/snapshot"
	psql -X -q <"$SCRATCH/snapshot" >/dev/null &
	snapshot=$!
	exec 4>"$SCRATCH/snapshot"
	echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class;' >&4
	until [ "$(run_sql -c "SELECT count(*) FROM pg_stat_activity
		WHERE state = 'idle in transaction' AND backend_xmin IS NOT NULL")" = 1 ]; do
		sleep 0.1
	done
}
end_snapshot()
{
	exec 4>&-
	wait "$snapshot"
	rm "$SCRATCH/snapshot"
}
# SIDE: a line for each window, "what rate megabytes", in $SCRATCH/SIDE.windows
watch_side()
{
	say "$1, with a snapshot held for $SNAPSHOT_SECONDS s"
	rate "$1" >/dev/null
	line "$1" 'before it'
	hold_snapshot
	for n in $(seq $((SNAPSHOT_SECONDS / window))); do
		line "$1" "after $((n * window)) s of it"
	done
	end_snapshot
	rate "$1" >/dev/null # prunes
	line "$1" "when it has ended"
}
line() # SIDE WHAT
{
	found=$(rate "$1")
	[ "$found" != INVALID ] || failed=1
	printf '%s\t%s\t%s\n' "$2" "$found" "$(size "$1")" >>"$SCRATCH/$1.windows"
}

fill_schemas
start_measuring
watch_side commerce
watch_side usual

echo
echo "### An old snapshot beside a hot option"
echo
echo "| Everyone the same option, $clients clients | commerce/s | of before | MB | usual/s | of before | MB |"
echo "|---|---:|---:|---:|---:|---:|---:|"
paste "$SCRATCH/commerce.windows" "$SCRATCH/usual.windows" | awk -F '\t' '
	NR == 1 { ours = $2; usual = $5 }
	{ printf "| %s | %s | %.2f | %s | %s | %.2f | %s |\n", $1, $2, $2 / ours, $3, $5, $5 / usual, $6 }'
echo
echo "Per second, over $window s each. MB: what the rows that hold the stock take, dead ones included."
echo
for schema in commerce usual; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect_sound $schema
done
machine
exit $failed
