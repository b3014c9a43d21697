#!/bin/sh
# Orders for one option in REPEATABLE READ and SERIALIZABLE, where whoever waited has to
# try again, against READ COMMITTED: on the server that test/server.sh gave us, as a
# table in Markdown. See doc/performance.md. Fails if any figure is invalid.
#
# Each side has an option of its own, which starts in one slot. Only successes count;
# a retry is the same order again, at once.
set -eu
cd "$(dirname "$0")"
. ./common.sh

# rate SIDE SECONDS CLIENTS
rate()
{
	PGOPTIONS="-c commerce.notify=off -c default_transaction_isolation=$(echo "$1" | sed 's/_/\\ /')" \
		pgbench_rate "$1" "$2" "$3" --max-tries=1000 -D "option=$(option_of "$1")" \
		-D users=10000 -f "$SCRATCH/order.pgbench"
	sed -n 's/^number of transactions retried: \([0-9]*\).*/\1/p' "$SCRATCH/pgbench.log" \
		>>"$SCRATCH/$1.retried"
}
option_of()
{
	case $1 in
	read_committed) echo 1 ;;
	repeatable_read) echo 2 ;;
	serializable) echo 3 ;;
	esac
}

fill_schemas
cat >"$SCRATCH/order.pgbench" <<-'SCRIPT'
	\set user_id random(1, :users)
	SELECT * FROM commerce.place_order(:user_id,
		('[{"option_id":' || :option || ',"quantity":1}]')::jsonb);
SCRIPT
start_measuring

echo
echo "### Isolation levels"
compare_head Call read_committed repeatable_read serializable
for clients in ${CLIENTS:-8}; do
	compare "place_order, 1 line, everyone the same option" "$clients" \
		read_committed repeatable_read serializable
done
echo
echo "| Side | Orders | Orders that were tried again | Slots afterwards |"
echo "|---|---:|---:|---:|"
for side in read_committed repeatable_read serializable; do
	echo "| $side | $(counted "$side") |" \
		"$(awk '{ n += $1 } END { print n + 0 }' "$SCRATCH/$side.retried") |" \
		"$(run_sql -c "SELECT count(*) FROM commerce.stock_slots WHERE option_id = $(option_of $side)") |"
done

how_taken
expect_sound commerce
machine
exit $failed
