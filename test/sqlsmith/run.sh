#!/bin/sh
# sqlsmith on the server that test/source_server.sh gave us, as each level of access:
#
#   sqlsmith/run.sh [LEVEL...]
set -eu
cd "$(dirname "$0")"

seconds=${SQLSMITH_SECONDS:-600}
seed=${SQLSMITH_SEED:-$$}
log=$SCRATCH/sqlsmith.log
[ $# != 0 ] || set -- reader app relay router admin

psql -qAtX -v ON_ERROR_STOP=1 -o /dev/null -f shop.sql
passed=0
failed=0
for level; do
	status=0
	timeout "$seconds" sqlsmith --verbose --exclude-catalog --seed="$seed" \
		--target="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=smith_$level" \
		>"$log" 2>&1 || status=$?
	printf '\n== %s, seed %s\n' "$level" "$seed"
	grep -a '^queries: ' "$log" | tail -n 1
	# How each query that was refused ended; the rest were not.
	sed -n "s,^smith_$level/\([0-9A-Z]*\)/ERROR: .*,\1,p" "$PGDATA/log" | sort | uniq -c |
		sort -rn | awk '{ printf "%s%s of %s", (NR > 1 ? ", " : ""), $1, $2 } END { print "" }'
	found=$(grep -aE 'terminated by signal|PANIC: |TRAP: |^[^/]*/XX' "$PGDATA/log" | head -n 20) || :
	if [ $status != 124 ]; then
		echo "sqlsmith ended by itself, with $status:"
		tail -n 20 "$log"
		failed=$((failed + 1))
	elif [ -n "$found" ]; then
		echo "$found"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
done

# What it did was rolled back, each query by itself; the counts of calls stay.
psql -X -P pager=off -c "SELECT function, sum(value) FILTER (WHERE sqlstate = '00000') AS succeeded,
		sum(value) FILTER (WHERE sqlstate <> '00000') AS refused
	FROM commerce.counters() WHERE name = 'commerce_calls_total' GROUP BY function
	HAVING sum(value) > 0 ORDER BY function"
violations=$(psql -qAtX -c 'SELECT * FROM commerce.verify()')
if [ -n "$violations" ]; then
	echo "$violations"
	failed=$((failed + 1))
fi
printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
