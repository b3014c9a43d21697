#!/bin/sh
# Measures how orders are transmitted, on the server that test/server.sh gave us, and
# prints the result as Markdown. See doc/performance.md. Fails if any figure is invalid.
# TRANSMISSION chooses among claim, place, wake, deliver, drain and unread.
set -eu
cd "$(dirname "$0")"
. ./common.sh
if [ "${QUICK:-}" = 1 ]; then
	: "${DELIVERED:=100000}" "${BACKLOG:=20000}"
fi
: "${CLIENTS:=8 32}" "${DELIVERED:=1000000}" "${BACKLOG:=50000}"
: "${TRANSMISSION:=claim place wake deliver drain unread}"
. ./receiver.sh
checks=$SCRATCH/checks
: >"$checks"

# compare_with TITLE BASE OTHER: prints one line of a table. BASE and OTHER are commands
# that print a rate. Every second round starts with the other one, so that
# neither gains by coming first.
compare_with()
{
	title=$1
	: >"$rounds"
	say "$title"
	for round in $(seq "$ROUNDS"); do
		if [ $((round % 2)) = 1 ]; then
			base=$($2)
			other=$($3)
		else
			other=$($3)
			base=$($2)
		fi
		say "  round $round: $base $other"
		echo "$base $other" >>"$rounds"
	done
	if grep -q INVALID "$rounds"; then
		failed=1
		echo "| $title | **INVALID** | | |"
		return
	fi
	printf '| %s | %.0f | %.0f | %s |\n' "$title" \
		"$(column '$1' | median)" "$(column '$2' | median)" "$(ratio '$2 / $1')"
}
compare_with_head() # WHAT [BASE OTHER]
{
	echo
	echo "| $1 | ${2:-without} | ${3:-with} | ratio (min – max) |"
	echo "|---|---:|---:|---|"
}

# ---- claim: claim_events and ack_events alone ----

CLAIM_CLIENTS=8
CLAIMS_EACH=$((SECONDS_EACH * 50))
EVENTS_EACH=$((CLAIM_CLIENTS * CLAIMS_EACH * 100))

# acked_per_second DATABASE CLAIMS: each client claims and acks so often, 100 events a
# time. Prints events per second, or INVALID unless the table says that all were.
acked_per_second()
{
	before=$(delivered "$1")
	log=$SCRATCH/pgbench.log
	pgbench_ok "$log" -c $CLAIM_CLIENTS -t "$2" -f claim.pgbench "$1" || {
		echo INVALID
		return
	}
	acked=$(($(delivered "$1") - before))
	if [ $acked != $((CLAIM_CLIENTS * $2 * 100)) ]; then
		say "of $((CLAIM_CLIENTS * $2 * 100)) events only $acked were acked"
		echo INVALID
	else
		echo "$acked $(processed "$log") $(tps "$log")" | awk '{ printf "%.0f\n", $1 / ($2 / $3) }'
	fi
}
delivered() # DATABASE
{
	run_sql -d "$1" -c "SELECT count(*) FROM commerce.stored_deliveries WHERE status = 'delivered'"
}

# Every measurement has a fresh copy of its shop, so that all find the same.
from_copy() # SHOP COMMAND: runs it with the copy's name
{
	createdb -T "$1" measured
	$2 measured
	dropdb --force measured
}
few_delivered() { from_copy shop_few acked_in_full; }
many_delivered() { from_copy shop_many acked_in_full; }
beside_old_snapshot() { from_copy shop_few acked_beside_old_snapshot; }
beside_unread() { from_copy shop_few acked_beside_unread; }
acked_in_full() { acked_per_second "$1" $CLAIMS_EACH; }

acked_beside_old_snapshot()
{
	PGAPPNAME=old_snapshot psql -X -q -d "$1" -c 'BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT pg_sleep(3600)' >/dev/null 2>&1 &
	wait_until 1 old_snapshots "$1"
	acked_in_full "$1" >"$SCRATCH/acked"
	if [ "$(old_snapshots "$1")" = 1 ]; then cat "$SCRATCH/acked"; else echo INVALID; fi
	run_sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'old_snapshot'" >/dev/null
	wait
}
acked_beside_unread()
{
	run_sql -d "$1" -c "SELECT commerce.create_subscription('unread_' || n, start_from => '-infinity')
		FROM generate_series(1, 4) n" >/dev/null
	acked_in_full "$1"
}
old_snapshots() # DATABASE
{
	run_sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'old_snapshot'
		AND datname = '$1' AND backend_xmin IS NOT NULL"
}

claim()
{
	say "Filling two shops, delivering $DELIVERED events in one"
	createdb shop_few
	run_sql -d shop_few -v events=$EVENTS_EACH -f backlog.sql
	createdb shop_many
	run_sql -d shop_many -v events=$((DELIVERED + EVENTS_EACH)) -f backlog.sql
	say "  $(acked_per_second shop_many $((DELIVERED / CLAIM_CLIENTS / 100)))/s"
	run_sql -d shop_many -c 'VACUUM ANALYZE'
	run_sql -c CHECKPOINT

	compare_with_head "Events claimed and acked per second, 100 at a time, by $CLAIM_CLIENTS clients"
	compare_with "$(delivered shop_many) events delivered before" few_delivered many_delivered
	compare_with "an old snapshot in another session" few_delivered beside_old_snapshot
	compare_with "4 more subscriptions that nobody reads" few_delivered beside_unread
	dropdb shop_few
	dropdb shop_many
}

# ---- place: what telling costs the orders ----

ORDER=order_1.pgbench

untold()
{
	export PGOPTIONS='-c commerce.notify=off'
	placed_per_second
}
told() { placed_per_second; }
# A database without a notifier has the same shop.
untold_elsewhere() { elsewhere untold; }
told_inline() { elsewhere placed_per_second; }
elsewhere()
{
	export PGDATABASE=elsewhere
	uncounted "$@"
}
uncounted()
{
	cp "$SCRATCH/commerce.$ORDER.count" "$SCRATCH/count"
	"$@"
	mv "$SCRATCH/count" "$SCRATCH/commerce.$ORDER.count"
}
told_1() { beside_listeners 1; }
told_100() { beside_listeners 100; }
beside_listeners() # HOW_MANY
{
	start_listeners "$1"
	rate=$(placed_per_second)
	stop_listeners
	wake_ups=$(sed 1d "$SCRATCH/wake_ups" | wc -l)
	say "    $1 listening, woken $((wake_ups / SECONDS_EACH)) times a second"
	if [ "$wake_ups" -gt 0 ]; then echo "$rate"; else echo INVALID; fi
}
placed_per_second()
{
	successes_per_second commerce.place_order $ORDER "$SECONDS_EACH" "$clients"
}

start_listeners() # HOW_MANY
{
	: >"$SCRATCH/wake_ups"
	"$SCRATCH/listen" "$1" >>"$SCRATCH/wake_ups" &
	listener=$!
	wait_until listening head -n 1 "$SCRATCH/wake_ups"
}
stop_listeners()
{
	kill $listener # fails if it ended by itself
	wait $listener 2>/dev/null || :
}

place()
{
	compare_with_head "Orders placed per second"
	for clients in $CLIENTS; do
		placed_per_second >/dev/null
		compare_with "$clients clients; without telling anybody, with 1 listener told" untold told_1
		compare_with "$clients clients; without any listener, with 100" told told_100
		compare_with "$clients clients; without telling anybody, without the notifier" untold_elsewhere told_inline
	done
	expect "orders placed, all there" "$(counted "commerce.$ORDER")" \
		"$(orders)" >>"$checks"
}
orders() { run_sql -c 'SELECT count(*) FROM commerce.orders'; }

# ---- wake and deliver: from an order's commit to those who wait for it ----

ORDERS_PER_SECOND=500
STEADY_SECONDS=$((SECONDS_EACH * 6))

place_steadily()
{
	log=$SCRATCH/pgbench.log
	sed 's/FUNCTION/commerce.place_order/' $ORDER >"$SCRATCH/steady.pgbench"
	pgbench_ok "$log" -c 8 -R $ORDERS_PER_SECOND -T $STEADY_SECONDS \
		-D users=10000 -f "$SCRATCH/steady.pgbench" || failed=1
	processed "$log" >>"$SCRATCH/commerce.$ORDER.count"
	expect "orders placed at $ORDERS_PER_SECOND/s, all with an event" "$(processed "$log")" \
		"$(run_sql -c 'SELECT count(*) FROM commerce.events')" >>"$checks"
}

# Nobody is to transmit what there is now.
forget_events()
{
	until [ "$(run_sql -c "SELECT count(commerce.ack_events(ARRAY[event_id], ARRAY[attempt]))
			FROM commerce.claim_events(10000)")" = 0 ]; do :; done
	run_sql -c "SELECT commerce.purge_events('0')" \
		-c 'VACUUM ANALYZE commerce.events, commerce.stored_deliveries' >/dev/null
}
unfinished()
{
	run_sql -c "SELECT count(*) FROM commerce.deliveries
		WHERE status IN ('available', 'running', 'dead')"
}

# delays TITLE TIMES: a table of what is in $SCRATCH/delays, in microseconds, each event
# so many times.
delays()
{
	expect "events followed to $1" "$(run_sql -c "SELECT $2 * count(*) FROM commerce.events")" \
		"$(wc -l <"$SCRATCH/delays")" >>"$checks"
	echo
	echo "| $ORDERS_PER_SECOND orders/s: ms from an order's commit to | p50 | p99 | max |"
	echo "|---|---:|---:|---:|"
	sort -n "$SCRATCH/delays" | awk -v title="$1" '
		function rank(share) { return delay[int(share * NR + 0.999999)] }
		{ delay[NR] = $1 / 1000 }
		END { printf "| %s | %.2f | %.2f | %.2f |\n", title, rank(0.5), rank(0.99), delay[NR] }'
}

# Microseconds since 1970, as listen.c has it.
COMMITTED_AT="(extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000000)::bigint"

wake()
{
	say "From commit to wake-up"
	forget_events
	start_listeners 1
	place_steadily
	sleep 1.5
	stop_listeners
	# Nobody has changed the events, so that their xmin is that of the order. From the
	# last to the first: the wake-up met last is the first that came after.
	{
		run_sql -F ' ' -c "SELECT $COMMITTED_AT, 'event' FROM commerce.events"
		sed '1d; s/$/ wake-up/' "$SCRATCH/wake_ups"
	} | sort -k 1,1nr -k 2,2r | awk '
		$2 == "wake-up" { woken = $1 }
		$2 == "event" && woken { print woken - $1 }' >"$SCRATCH/delays"
	delays "the listener's wake-up" 1
}

# start_relays SUBSCRIPTION...: one for each, told apart by the URL.
start_relays()
{
	: >"$SCRATCH/relay.log"
	(umask 077 && echo "whsec_$(head -c 32 /dev/urandom | base64)" >"$SCRATCH/secret")
	relays=
	for subscription; do
		commerce_relay --conninfo "dbname=$PGDATABASE" --subscription "$subscription" \
			--url "$receiver_url$subscription" --secret-file "$SCRATCH/secret" \
			2>>"$SCRATCH/relay.log" &
		relays="$relays $!"
	done
}
stop_relays()
{
	for relay in $relays; do
		kill "$relay" || :
		wait "$relay" || {
			cat "$SCRATCH/relay.log" >&2
			failed=1
		}
	done
	relays=
}
# Subscriptions beside "default" are made before an event that they are to have.
subscribe() # SUBSCRIPTION...
{
	for subscription; do
		[ "$subscription" = default ] ||
			run_sql -c "SELECT commerce.create_subscription('$subscription')" >/dev/null
	done
}
unsubscribe() # SUBSCRIPTION...
{
	for subscription; do
		[ "$subscription" = default ] ||
			run_sql -c "SELECT commerce.drop_subscription('$subscription')" >/dev/null
	done
}

deliver()
{
	deliver_to default
	deliver_to default second
}
deliver_to() # SUBSCRIPTION...
{
	say "From commit to HTTP request, $# subscriptions"
	forget_events
	subscribe "$@"
	start_receiver
	start_relays "$@"
	wait_until $# grep -c event=connected "$SCRATCH/relay.log"
	place_steadily
	wait_until 0 unfinished
	stop_relays
	stop_receiver
	# Delivery changes the event, but not the order. A request is logged with the
	# millisecond in which it ended; we count that to its end.
	run_sql -F ' ' -c "SELECT event_id, committed_at FROM commerce.events
		JOIN (SELECT order_id, $COMMITTED_AT committed_at FROM commerce.orders) o
		USING (order_id)" | awk '
		NR == FNR {
			committed[$1] = $2
			next
		}
		!(($2, $3) in arrived) {
			arrived[$2, $3] = 1
			sub(/\./, "", $1)
			print ($1 + 1) * 1000 - committed[$2]
		}' - "$received" >"$SCRATCH/delays"
	title="the receiver's answer"
	[ $# = 1 ] || title="$title, $# relays on $# subscriptions"
	delays "$title" $#
	unsubscribe "$@"
}

# ---- drain: the relay alone, with a backlog ----

drain()
{
	say "Draining $BACKLOG events"
	: >"$rounds"
	for round in $(seq "$ROUNDS"); do
		drained "$BACKLOG" default >>"$rounds"
		say "  round $round: $(tail -n 1 "$rounds")"
	done
	echo
	echo "| Draining $BACKLOG events | events/s (min – max) | peak memory (max) |"
	echo "|---|---|---|"
	printf '| commerce_relay | **%.0f** (%.0f – %.0f) | %.1f MiB |\n' "$(column '$1' | median)" \
		"$(column '$1' | least)" "$(column '$1' | most)" "$(column '$2 / 1024' | most)"

	compare_with_head "Events delivered per second" "1 relay" "3 relays"
	compare_with "$((3 * BACKLOG)) events to 1 subscription, $BACKLOG to each of 3" by_one by_three
}
by_one() { drained $((3 * BACKLOG)) default | cut -d ' ' -f 1; }
by_three() { drained "$BACKLOG" default second third | cut -d ' ' -f 1; }

# drained EVENTS SUBSCRIPTION...: prints events per second, from the relays' start to the
# last ack, and a relay's peak memory. Whoever looks at the database meanwhile takes from
# that.
drained()
{
	events=$1
	shift
	forget_events
	subscribe "$@"
	log=$SCRATCH/pgbench.log
	sed 's/FUNCTION/commerce.place_order/' $ORDER >"$SCRATCH/backlog.pgbench"
	PGOPTIONS='-c commerce.notify=off' pgbench_ok "$log" -c 8 -t $((events / 8)) \
		-D users=10000 -f "$SCRATCH/backlog.pgbench" || failed=1
	processed "$log" >>"$SCRATCH/commerce.$ORDER.count"
	start_receiver
	started=$(date +%s.%N)
	start_relays "$@"
	deliveries=$((events * $#))
	wait_until $deliveries requests
	wait_until 0 unfinished
	peak=$(for relay in $relays; do
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$relay/status"
	done | most)
	stop_relays
	stop_receiver
	expect "events drained, and requests for different ones" "$deliveries $deliveries" \
		"$(wc -l <"$received") $(sort -u -k 2,3 "$received" | wc -l)" >>"$checks"
	run_sql -F ' ' -c "SELECT count(*) / (extract(epoch FROM max(delivered_at)) - $started), $peak
		FROM commerce.deliveries"
	unsubscribe "$@"
}
requests() { wc -l <"$received"; }

# ---- unread: a shop that never transmits ----

unread()
{
	say "Placing $BACKLOG orders that nobody hears of"
	forget_events
	run_sql -c 'VACUUM FULL commerce.events, commerce.stored_deliveries'
	log=$SCRATCH/pgbench.log
	sed 's/FUNCTION/commerce.place_order/' $ORDER >"$SCRATCH/backlog.pgbench"
	pgbench_ok "$log" -c 8 -t $((BACKLOG / 8)) \
		-D users=10000 -f "$SCRATCH/backlog.pgbench" || failed=1
	processed "$log" >>"$SCRATCH/commerce.$ORDER.count"
	kept=$(outbox_size)
	run_sql -c "SELECT commerce.drop_subscription('default')" >/dev/null
	started=$(date +%s.%N)
	purged=$(run_sql -c "SELECT commerce.purge_events('0')")
	took=$(echo "$(date +%s.%N) $started" | awk '{ printf "%.2f", $1 - $2 }')
	run_sql -c 'VACUUM commerce.events'
	expect "events of orders that nobody heard of, purged" "$BACKLOG" "$purged" >>"$checks"
	echo
	echo "| $BACKLOG orders that nobody hears of | bytes of outbox an order | \`purge_events\` | bytes after vacuum |"
	echo "|---|---:|---:|---:|"
	echo "| no subscription | $((kept / BACKLOG)) | $took s | $(outbox_size) |"
}
outbox_size()
{
	run_sql -c "SELECT sum(pg_total_relation_size('commerce.' || name))
		FROM unnest('{events, stored_deliveries}'::text[]) name"
}

# ---- all ----

# wait_until WHAT COMMAND...: until it prints just that.
wait_until()
{
	wanted=$1
	shift
	tries=0
	until [ "$("$@")" = "$wanted" ]; do
		tries=$((tries + 1))
		if [ $tries -gt 1200 ]; then
			say "waited in vain for \"$wanted\" from: $*"
			exit 1
		fi
		sleep 0.1
	done
}

relays='' receiver=
trap 'kill $relays $receiver 2>/dev/null || :' EXIT
cc -O2 -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" \
	-o "$SCRATCH/listen" listen.c -lpq
run_sql -f shop.sql >/dev/null
createdb elsewhere
run_sql -d elsewhere -f shop.sql >/dev/null
: >"$SCRATCH/commerce.$ORDER.count"
start_measuring
echo
echo "### Transmission"
for step in $TRANSMISSION; do
	$step
done

say "Checking what was written"
expect "orders, all there" "$(counted "commerce.$ORDER")" "$(orders)" >>"$checks"
expect "invariants violated" 0 "$(run_sql -c 'SELECT count(*) FROM commerce.verify()')" >>"$checks"
echo
echo "Rates are medians of $ROUNDS rounds, the sides taken in turn; ratios are taken round by round."
echo
cat "$checks"
machine
exit $failed
