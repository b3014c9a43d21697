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
. ./common.sh

# compare TITLE TEMPLATE OUR_FUNCTION PEER_FUNCTION CLIENTS: prints one line of
# the table. OUR_FUNCTION is in schema commerce, PEER_FUNCTION in both peers'.
# PGOPTIONS is for all sides; the peers do not look at it.
compare()
{
	title=$1 template=$2 clients=$5
	functions="commerce.$3 usual.$4 tuned.$4"
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
counted() { awk '{ n += $1 } END { print n + 0 }' "$SCRATCH/$1".order_*.pgbench.count; }
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
warn_of_others "$others"
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
	export PGOPTIONS='-c commerce.notify=off'
	compare "place_order, everyone the same option, no notification" order_hot.pgbench \
		place_order place_order "$clients"
	unset PGOPTIONS
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
machine "$others" "$checkpoints_before"
echo "| One client's single-row INSERTs | $single_rows commits/s |"
exit $failed
