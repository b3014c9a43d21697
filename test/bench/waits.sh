#!/bin/sh
# What sessions wait for when many place orders at once, ours and the usual, each for
# random options, for the same one, and for random options without waiting for the disk:
# on the server that test/server.sh gave us, as a table in Markdown. See doc/performance.md. Fails if any figure is invalid. The server
# must have pg_wait_sampling in shared_preload_libraries, as run.sh starts it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
export PGOPTIONS='-c commerce.notify=off'
sides="spread hot spread_async usual_spread usual_hot usual_spread_async"

rate() # SIDE SECONDS
(
	schema=commerce template=order_1.pgbench
	case $1 in usual_*) schema=usual ;; esac
	case $1 in *hot) template=order_hot.pgbench ;; esac
	case $1 in *_async) PGOPTIONS="$PGOPTIONS -c synchronous_commit=off" ;; esac
	successes_per_second $schema.place_order $template "$2" "$clients"
)

# measure SIDE: adds a line for each event, "round side type event samples", to
# $SCRATCH/samples, and one for the rate. Looks from the second second to the last but
# one, when nobody connects. INVALID unless all clients were there to be looked at.
measure()
{
	rate "$1" $((SECONDS_EACH + 2)) >"$SCRATCH/rate" &
	sleep 1
	run_sql -F ' ' -v seconds="$SECONDS_EACH" -f waits.sql >"$SCRATCH/waits"
	wait
	found=$(cat "$SCRATCH/rate")
	if [ "$found" = INVALID ] || ! grep -q "^sessions $clients " "$SCRATCH/waits"; then
		head -n 1 "$SCRATCH/waits" >&2
		found=INVALID
	fi
	say "  $1: $found, looked at $(sed -n 's/^sessions .* //p' "$SCRATCH/waits") times"
	sed '/^sessions /d' "$SCRATCH/waits" | sed "s/^/$round $1 /" >>"$SCRATCH/samples"
	echo "$round $1 rate $found" >>"$SCRATCH/samples"
}

# A line for each event that has a thousandth of the samples on any side: the median, over
# rounds, of its share of the samples of a round.
table()
{
	awk -v rounds="$ROUNDS" -v sides="$sides" '
	function median(key,	i, j, x, n) {
		for (i = 1; i <= rounds; i++) {
			x[i] = share[i, key] + 0
			for (j = i; j > 1 && x[j] < x[j - 1]; j--) {
				n = x[j]; x[j] = x[j - 1]; x[j - 1] = n
			}
		}
		return (x[int((rounds + 1) / 2)] + x[int(rounds / 2) + 1]) / 2
	}
	BEGIN { count = split(sides, side, " ") }
	$3 == "rate" { share[$1, $2, "rate"] = $4; next }
	{ event = $3 ": " $4; events[event] = 1; samples[$1, $2, event] = $5; all[$1, $2] += $5 }
	END {
		for (key in samples) {
			split(key, of, SUBSEP)
			share[of[1], of[2], of[3]] = 100 * samples[key] / all[of[1], of[2]]
		}
		for (s = 1; s <= count; s++)
			printf "\t%.0f", median(side[s] SUBSEP "rate")
		print "\torders/s"
		for (event in events) {
			most = 0
			for (s = 1; s <= count; s++) {
				percent[s] = median(side[s] SUBSEP event)
				if (percent[s] > most)
					most = percent[s]
			}
			if (most < 0.1)
				continue
			for (s = 1; s <= count; s++)
				printf "\t%.1f", percent[s]
			print "\t" event
		}
	}' "$SCRATCH/samples" >"$SCRATCH/shares"
	# What runs first, then by kind, and there what we wait for most.
	grep 'orders/s$' "$SCRATCH/shares" | line
	for kind in none Client IO LWLock Lock; do
		grep "	$kind: " "$SCRATCH/shares" | sort -t '	' -k 2,2gr | line
	done
	grep -v '	\(none\|Client\|IO\|LWLock\|Lock\): \|orders/s$' "$SCRATCH/shares" | line
}
line()
{
	awk -F '\t' '{ printf "| %s |", $NF; for (i = 2; i < NF; i++) printf " %s |", $i; print "" }' |
		sed 's/none: none/none: runs, or could/'
}
record_shares()
{
	awk -F '\t' -v part="$part" -v clients="$clients" -v sides="$sides" '
		BEGIN { split(sides, side, " ") }
		{ for (i = 1; i < NF - 1; i++) print part "\t" $NF "\t" clients "\t" side[i] "\t" \
			$(i + 1) "\t" $(i + 1) "\t" $(i + 1) }' "$SCRATCH/shares" >&3
}

run_sql -c 'CREATE EXTENSION pg_wait_sampling'
fill_schemas
start_measuring

echo
echo "### What sessions wait for"
for clients in ${CLIENTS:-64}; do
	say "$clients clients: $sides"
	: >"$SCRATCH/samples"
	for round in $(seq "$ROUNDS"); do
		say "round $round"
		in_turn=$sides
		[ $((round % 2)) = 1 ] || in_turn=$(echo "$sides" | tr ' ' '\n' | tac)
		for side in $in_turn; do
			measure "$side"
		done
	done
	echo
	echo "| $clients clients, % of samples | commerce: random options | all the same | no flush" \
		"| usual: random options | all the same | no flush |"
	echo "|---|---:|---:|---:|---:|---:|---:|"
	if grep -q INVALID "$SCRATCH/samples"; then
		failed=1
		echo "| place_order, 1 line | **INVALID** |"
	else
		table
		record_shares
	fi
done
echo
echo "place_order, 1 line. Medians of $ROUNDS × $SECONDS_EACH s, the sides taken in turn. Each session was looked" \
	"at every $(run_sql -c 'SHOW pg_wait_sampling.profile_period') ms. No flush: random options," \
	"synchronous_commit off."
echo
say "Checking what was written"
for schema in commerce usual; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect_sound $schema
done
machine
exit $failed
