#!/bin/sh
# Measures commerce against its two peers on the server that test/server.sh gave us,
# and prints the result as Markdown. See README.md. Fails if any figure is
# invalid: a call that was not a success spoils it.
set -eu
cd "$(dirname "$0")"

if [ "${QUICK:-}" = 1 ]; then
	: "${ROUNDS:=2}" "${SECONDS_EACH:=2}"
fi
: "${ROUNDS:=5}" "${SECONDS_EACH:=5}" "${CLIENTS:=8 32}"
warm_up_seconds=$(((SECONDS_EACH + 2) / 3))
failed=0

run_sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
say() { echo "$@" >&2; }

# successes_per_second FUNCTION TEMPLATE SECONDS CLIENTS: prints the rate, or
# INVALID. Transactions are counted in $SCRATCH/<schema>.<template>.
successes_per_second()
{
	function=$1 template=$2 seconds=$3 clients=$4
	script=$SCRATCH/$function.$template
	log=$SCRATCH/pgbench.log
	sed "s/FUNCTION/$function/" "$template" >"$script"
	status=0
	pgbench -n -M prepared -c "$clients" -j 2 -T "$seconds" -f "$script" \
		>"$log" 2>&1 || status=$?

	processed=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$log")
	echo "${processed:-0}" >>"$SCRATCH/${function%%.*}.$template.count"
	if [ $status != 0 ] || grep -q 'error:\|ERROR:' "$log" ||
		! grep -q '^number of failed transactions: 0 ' "$log"; then
		cat "$log" >&2
		echo INVALID
	else
		sed -n 's/^tps = \([0-9]*\).*/\1/p' "$log"
	fi
}

# The percentage of CPU time that was not idle in three seconds while we wait.
cpu_used_by_others()
{
	{ head -n 1 /proc/stat; sleep 3; head -n 1 /proc/stat; } | awk '
		{ for (i = 2; i <= NF; i++) total[NR] += $i; idle[NR] = $5 + $6 }
		END { printf "%.1f", 100 - 100 * (idle[2] - idle[1]) / (total[2] - total[1]) }'
}

checkpoints() { grep -c 'checkpoint starting' "$PGDATA/log" || :; }

# compare TITLE TEMPLATE OUR_FUNCTION PEER_FUNCTION CLIENTS: prints one line of
# the table. OUR_FUNCTION is in schema commerce, PEER_FUNCTION in both peers'.
# PGOPTIONS is for all sides; the peers do not look at it.
compare()
{
	title=$1 template=$2 clients=$5
	functions="commerce.$3 usual.$4 tuned.$4"
	rounds=$SCRATCH/rounds
	: >"$rounds"
	say "$title, $clients clients"
	for function in $functions; do
		successes_per_second "$function" "$template" "$warm_up_seconds" "$clients" >/dev/null
	done
	for round in $(seq "$ROUNDS"); do
		rates=
		for function in $functions; do
			rates="$rates $(successes_per_second "$function" "$template" "$SECONDS_EACH" "$clients")"
		done
		say "  round $round: commerce, usual, tuned:$rates"
		echo "$rates" >>"$rounds"
	done
	if grep -q INVALID "$rounds"; then
		failed=1
		echo "| $title | $clients | **INVALID** | | | | |"
		return
	fi
	printf '| %s | %s | %.0f | %.0f | %s | %.0f | %s |\n' "$title" "$clients" \
		"$(column '$1' | median)" "$(column '$2' | median)" "$(ratio '$1 / $2')" \
		"$(column '$3' | median)" "$(ratio '$1 / $3')"
}
column() { awk "{ print $1 }" "$rounds"; }
ratio()
{
	printf '**%.2f** (%.2f – %.2f)' "$(column "$1" | median)" \
		"$(column "$1" | sort -g | head -n 1)" "$(column "$1" | sort -g | tail -n 1)"
}
median() { sort -g | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'; }

# expect WHAT EXPECTED ACTUAL: everything the figures stand for must be there.
expect()
{
	if [ "$2" = "$3" ]; then
		echo "- $1: $3"
	else
		failed=1
		echo "- **INVALID**: $1: expected $2, found $3"
		say "$1: expected $2, found $3"
	fi
}
counted() { awk '{ n += $1 } END { print n + 0 }' "$SCRATCH/$1".order_?.pgbench.count; }
charged() { awk '{ n += $1 } END { print n + 0 }' "$SCRATCH/$1".charge.pgbench.count; }

say "Filling the schemas"
run_sql -f tuned.sql -f usual.sql -f setup.sql >/dev/null
differences=$(run_sql -f same_shape.sql)
if [ -n "$differences" ]; then
	say "The tables of schema tuned differ from those of schema commerce:"
	say "$differences"
	exit 1
fi
run_sql -c CHECKPOINT
checkpoints_before=$(checkpoints)
others=$(cpu_used_by_others)
[ "${others%.*}" -lt 5 ] || say "WARNING: other processes use $others % of the CPU"
single_rows=$(successes_per_second none commit.pgbench "$SECONDS_EACH" 1)

echo "| Call | Clients | commerce/s | usual/s | ratio (min – max) | tuned/s | ratio (min – max) |"
echo "|---|---:|---:|---:|---|---:|---|"
for clients in $CLIENTS; do
	for lines in 1 3; do
		order="place_order, $lines line$([ "$lines" = 1 ] || echo s)"
		export PGOPTIONS='-c commerce.notify=off'
		compare "$order, no notification" "order_$lines.pgbench" \
			place_order place_order "$clients"
		unset PGOPTIONS
		compare "$order, notifying" "order_$lines.pgbench" \
			place_order place_order_notify "$clients"
	done
	compare charge_balance charge.pgbench \
		charge_balance charge_balance "$clients"
done

say "Checking what was written"
echo
echo "Successes per second: medians of $ROUNDS rounds of $SECONDS_EACH s each, taken in turn;"
echo "the ratio is taken round by round."
echo
for schema in commerce usual tuned; do
	expect "orders of $schema, all there" "$(counted $schema)" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect "charges of $schema, all there" "$(charged $schema)" \
		"$(run_sql -c "SELECT count(*) - 10000 FROM $schema.balance_history WHERE type = 'charge'")"
done
expect "invariants violated in commerce" 0 "$(run_sql -c 'SELECT count(*) FROM commerce.verify()')"
for schema in usual tuned; do
	expect "invariants violated in $schema" 0 \
		"$(sed "s/tuned\./$schema./g" verify_peer.sql | run_sql)"
done
cat <<MACHINE

| | |
|---|---|
| Date | $(date -u +%Y-%m-%d) |
| CPU | $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1) |
| CPU used by others at the start | $others % |
| Kernel | $(uname -sr) |
| PostgreSQL | $(run_sql -c 'SHOW server_version') |
| fsync, synchronous_commit | $(run_sql -c 'SHOW fsync'), $(run_sql -c 'SHOW synchronous_commit') |
| wal_sync_method | $(run_sql -c 'SHOW wal_sync_method') |
| One client's single-row INSERTs | $single_rows commits/s |
| Checkpoints meanwhile | $(($(checkpoints) - checkpoints_before)) |
| shared_buffers | $(run_sql -c 'SHOW shared_buffers') |
| shared_preload_libraries | $(run_sql -c 'SHOW shared_preload_libraries') |
MACHINE
exit $failed
