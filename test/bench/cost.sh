#!/bin/sh
# What one call costs, whoever else is there: WAL, instructions, memory; on the server
# that test/server.sh gave us, as tables in Markdown. See doc/performance.md. Fails if
# any figure is invalid.
set -eu
cd "$(dirname "$0")"
. ./common.sh
if [ "${QUICK:-}" = 1 ]; then
	: "${CALLS:=20000}" "${COUNTED:=100}" "${COUNTED_CALLS:=order_1}" "${LOGGED:=5000}"
fi
: "${CALLS:=1000000}" "${COUNTED:=500}" "${COUNTED_CALLS:=order_1 order_3 charge refusal}" "${LOGGED:=20000}"
export PGOPTIONS='-c commerce.notify=off -c synchronous_commit=off'

# ---- WAL ----

# wal_bytes_per_order SCHEMA LINES: of orders of one client, after as many to warm up.
wal_bytes_per_order()
{
	place_orders "$1" "order_$2.pgbench" "$LOGGED" || return
	before=$(run_sql -c 'SELECT pg_current_wal_insert_lsn()')
	place_orders "$1" "order_$2.pgbench" "$LOGGED" || return
	run_sql -c "SELECT round((pg_current_wal_insert_lsn() - '$before') / $LOGGED)"
}
wal() # LINES
{
	say "WAL of orders, lines: $1"
	sizes=
	title="WAL bytes per order, $1 line$([ "$1" = 1 ] || echo s)"
	for schema in commerce usual tuned; do
		sizes="$sizes $(wal_bytes_per_order $schema "$1" || echo INVALID)"
	done
	say " $sizes"
	case $sizes in *INVALID*) failed=1 ;; esac
	echo "$sizes" | awk -v title="$title" '
		/INVALID/ { print "| " title " | **INVALID** |"; exit }
		{ printf "| %s | %d | %d: **%.2f** | %d: **%.2f** |\n",
			title, $1, $2, $2 / $1, $3, $3 / $1 }'
}

# ---- instructions, counted in databases of their own ----

instructions() # WHAT
{
	say "CPU instructions: $1"
	./instructions.sh "$COUNTED" "$1" || {
		failed=1
		echo "| CPU instructions, $1 | **INVALID** |"
	}
}

# ---- memory ----

memory()
{
	say "Memory of a session over $CALLS orders"
	grown=$(PGOPTIONS='-c synchronous_commit=off' \
		run_sql -F ' ' -v calls="$CALLS" -f memory.sql) || grown=INVALID
	say "  $grown"
	echo $((10000 + CALLS)) >>"$SCRATCH/commerce.order_in_loop.count"
	[ "$grown" != INVALID ] || failed=1
	echo "$grown" | awk -v title="Growth of one session over $CALLS orders" '
		/INVALID/ { print "| " title " | **INVALID** |"; exit }
		{ printf "| %s | %.2f MiB | %.2f MiB |\n", title, $1 / 1048576, $2 / 1048576 }'
}

fill_schemas
# Each page is logged in full at its first change after a checkpoint: not an order's own.
run_sql -c 'ALTER SYSTEM SET full_page_writes = off' -c 'ALTER SYSTEM SET autovacuum = off' \
	-c 'SELECT pg_reload_conf()' >/dev/null
start_measuring

echo
echo "### What a call costs"
echo
echo "| Cost | commerce | usual: ratio | tuned: ratio |"
echo "|---|---:|---|---|"
wal 1
wal 3
for what in $COUNTED_CALLS; do
	instructions "$what"
done
echo
echo "| Memory | by PostgreSQL's account | by the kernel's |"
echo "|---|---:|---:|"
memory

say "Checking what was written"
echo
for schema in commerce usual tuned; do
	expect "orders of $schema, all there" "$(counted "$schema.order_*")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.orders")"
	expect_sound $schema
done
machine
exit $failed
