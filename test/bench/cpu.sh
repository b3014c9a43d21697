#!/bin/sh
# Where the time of a call goes: CPU time of the server, in user space and in the
# kernel, of the clients, and what is left, on the server that test/server.sh gave us,
# as a table in Markdown. See doc/performance.md. Fails if any figure is invalid.
set -eu
cd "$(dirname "$0")"
. ./common.sh
: "${CLIENTS:=16}"
# A log line for each refusal would cost all sides the same.
export PGOPTIONS='-c commerce.notify=off -c log_min_messages=fatal'

# calls KIND: what the sides call.
calls()
{
	kind=$1
	case $kind in
	order_*) template=$kind.pgbench called=place_order ;;
	charge) template=charge.pgbench called=charge_balance ;;
	esac
}
rate() # SIDE SECONDS CLIENTS
{
	case $1,$kind in
	INSERT,*) pgbench_rate insert "$2" "$3" -f commit.pgbench ;;
	error,*) refused error "$@" ;;
	*,sold_out | *,out_of_stock) refused $kind "$@" ;;
	*) successes_per_second "$1.$called" "$template" "$2" "$3" ;;
	esac
}

# Seconds: the time, then what all of the server's processes and all clients of ours have
# spent of the CPUs.
spent()
{
	{ cat /proc/uptime; cat /proc/[0-9]*/stat 2>/dev/null || :; } | awk \
		-v postmaster="$(head -n 1 "$PGDATA/postmaster.pid")" -v group="$(ps_group)" \
		-v tick="$(getconf CLK_TCK)" '
		NR == 1 { now = $1; next }
		{ name = $0; sub(/^[0-9]* \(/, "", name); sub(/\) .*/, "", name); sub(/.*\) /, "") }
		$2 == postmaster { user += $12; kernel += $13 }
		$3 == group && name ~ /^(pgbench|refused)$/ { client += $12 + $13 }
		END { print now, user / tick, kernel / tick, client / tick }'
}
ps_group() { awk '{ sub(/.*\) /, ""); print $3 }' /proc/$$/stat; }

# measure SIDE: prints the rate, and what a call takes, in microseconds: the server in
# user space and in the kernel, the clients, and what is left of all CPUs. Looks from the
# second second to the last but one, when nobody connects.
measure()
{
	rate "$1" $((SECONDS_EACH + 2)) "$clients" >"$SCRATCH/rate" &
	sleep 1
	before=$(spent)
	sleep "$SECONDS_EACH"
	after=$(spent)
	wait
	echo "$(cat "$SCRATCH/rate") $before $after" | awk -v cpus="$(nproc)" '
		NF != 9 || $1 !~ /^[1-9]/ { print "INVALID"; exit }
		{
			calls = $1 * ($6 - $2) / 1e6
			user = ($7 - $3) / calls; kernel = ($8 - $4) / calls; client = ($9 - $5) / calls
			all = cpus * 1e6 / $1
			printf "%d %.1f %.1f %.1f %.1f %.1f\n",
				$1, all, user, kernel, client, all - user - kernel - client
		}'
}

# rows TITLE SIDE...: lines of the table, one for each side.
rows()
{
	title=$1
	shift
	say "$title, $clients clients: $*"
	rm -f "$SCRATCH"/cpu.*
	for round in $(seq "$ROUNDS"); do
		for turn in $(seq $#); do
			[ $((round % 2)) = 1 ] || turn=$(($# + 1 - turn))
			eval "side=\${$turn}"
			measure "$side" >>"$SCRATCH/cpu.$turn"
		done
		say "  round $round: $(tail -q -n 1 "$SCRATCH"/cpu.* | paste -s -d '|')"
	done
	turn=0
	for side; do
		turn=$((turn + 1))
		rounds=$SCRATCH/cpu.$turn
		if grep -q INVALID "$rounds"; then
			failed=1
			echo "| $title | $clients | $side | **INVALID** |"
			continue
		fi
		printf '| %s | %s | %s |' "$title" "$clients" "$side"
		for column in 1 2 3 4 5 6; do
			printf ' %s |' "$(column "\$$column" | median)"
		done
		echo
	done
}

fill_schemas tuned_coupons.sql usual_coupons.sql
sell_out
run_sql -c 'ALTER SYSTEM SET autovacuum = off' -c 'SELECT pg_reload_conf()' >/dev/null
start_measuring

echo
echo "### Where the time of a call goes"
echo
echo "| Call | Clients | Side | calls/s | all CPUs | server, user space | server, kernel | clients | rest |"
echo "|---|---:|---|---:|---:|---:|---:|---:|---:|"
for clients in $CLIENTS; do
	calls order_1
	rows "place_order, 1 line" INSERT commerce usual tuned
	calls order_3
	rows "place_order, 3 lines" commerce usual tuned
	calls order_20
	rows "place_order, 20 lines" commerce usual tuned
	calls charge
	rows "charge_balance" commerce usual tuned
	calls out_of_stock
	rows "place_order, out of stock" error commerce usual tuned
	calls sold_out
	rows "issue_coupon, sold out" commerce usual tuned
done

say "Checking what was written"
echo
echo "Medians of $ROUNDS × $SECONDS_EACH s, the sides taken in turn; times in microseconds a call."
echo
for schema in commerce usual tuned; do
	expect "orders of $schema, all there" "$(($(counted "$schema.order_*") + units))" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
done
expect_sound commerce
machine
exit $failed
