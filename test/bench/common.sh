# What all parts share: sourced by each, in this folder. A figure that is worth nothing
# is INVALID and sets failed, with which the part exits. Tables go to standard output;
# what the plots are drawn from, and what machine it was, to descriptor 3 if run.sh
# opened it.
# shellcheck shell=sh disable=SC2034
if [ "${QUICK:-}" = 1 ]; then
	: "${ROUNDS:=1}" "${SECONDS_EACH:=1}" "${CLIENTS:=32}"
fi
: "${ROUNDS:=5}" "${SECONDS_EACH:=3}"
part=$(basename "$0" .sh)
failed=0
rounds=$SCRATCH/rounds
{ true >&3; } 2>/dev/null || exec 3>/dev/null

run_sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
say() { echo "$@" >&2; }

# ---- one measurement ----

# pgbench_ok LOG ARGUMENT...: runs pgbench; fails, and shows why, if any
# transaction did.
pgbench_ok()
{
	log=$1
	shift
	status=0
	pgbench -n -M prepared -j 2 "$@" >"$log" 2>&1 || status=$?
	if [ $status != 0 ] || grep -q 'error:\|ERROR:' "$log" ||
		! grep -q '^number of failed transactions: 0 ' "$log"; then
		cat "$log" >&2
		return 1
	fi
}
processed() { sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' "$1"; }
tps() { sed -n 's/^tps = \([0-9.]*\).*/\1/p' "$1"; }

# pgbench_rate COUNT SECONDS CLIENTS ARGUMENT...: prints the rate, or INVALID, and
# adds the transactions to those in $SCRATCH/COUNT.count.
pgbench_rate()
{
	count=$1 seconds=$2 connections=$3
	shift 3
	log=$SCRATCH/pgbench.log
	rate=INVALID
	! pgbench_ok "$log" -c "$connections" -T "$seconds" "$@" || rate=$(tps "$log")
	transactions=$(processed "$log")
	echo "${transactions:-0}" >>"$SCRATCH/$count.count"
	echo "${rate%.*}"
}
# successes_per_second FUNCTION TEMPLATE SECONDS CLIENTS [ARGUMENT...]: calls of a
# function, counted in <schema>.<template>.
successes_per_second()
{
	called=$1 written=$2 seconds=$3 connections=$4
	shift 4
	script=$SCRATCH/$called.$written
	sed "s/FUNCTION/$called/" "$written" >"$script"
	pgbench_rate "${called%%.*}.$written" "$seconds" "$connections" \
		-D users=10000 "$@" -f "$script"
}
# counted PATTERN...: the transactions of all counts that match.
counted()
{
	for pattern; do
		# shellcheck disable=SC2086 # a pattern
		cat "$SCRATCH"/$pattern.count 2>/dev/null || :
	done | awk '{ n += $1 } END { print n + 0 }'
}

# ---- one line of a table ----

# compare_head WHAT SIDE...: the first is the one that the others are compared with.
compare_head()
{
	what=$1 ours=$2
	shift 2
	echo
	printf '| %s | Clients | %s/s |' "$what" "$ours"
	for side; do
		printf ' %s/s: ratio (min – max) |' "$side"
	done
	echo
	printf '|---|---:|---:|'
	for side; do
		printf '%s' '---|'
	done
	echo
}

# compare TITLE CLIENTS SIDE...: a line of the table. The part's function "rate" gets
# a side, seconds and clients, and prints a rate. The side "-" leaves a column empty.
# Every second round starts from the last side, so that none gains by its place.
compare()
{
	title=$1 clients=$2
	shift 2
	say "$title, $clients clients: $*"
	rm -f "$SCRATCH"/rates.*
	if [ "${QUICK:-}" != 1 ]; then
		for side; do
			rate_of "$side" $(((SECONDS_EACH + 2) / 3)) >/dev/null
		done
	fi
	for round in $(seq "$ROUNDS"); do
		for turn in $(seq $#); do
			[ $((round % 2)) = 1 ] || turn=$(($# + 1 - turn))
			eval "side=\${$turn}"
			rate_of "$side" "$SECONDS_EACH" >>"$SCRATCH/rates.$turn"
		done
		say "  round $round: $(tail -q -n 1 "$SCRATCH"/rates.* | paste -s -d ' ')"
	done
	paste -d ' ' "$SCRATCH"/rates.* >"$rounds"
	compared "$@"
}
rate_of() # SIDE SECONDS
{
	if [ "$1" = - ]; then echo -; else rate "$1" "$2" "$clients"; fi
}
compared() # SIDE...
{
	if grep -q INVALID "$rounds"; then
		failed=1
		echo "| $title | $clients | **INVALID** |"
		return
	fi
	printf '| %s | %s | %.0f |' "$title" "$clients" "$(column '$1' | median)"
	record "$1" '$1'
	turn=1
	shift
	for side; do
		turn=$((turn + 1))
		if [ "$side" = - ]; then
			printf ' |'
			continue
		fi
		printf ' %.0f: %s |' "$(column "\$$turn" | median)" "$(ratio "\$1 / \$$turn")"
		record "$side" "\$$turn"
	done
	echo
}
record() # SIDE COLUMN
{
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$part" "$title" "$clients" "$1" \
		"$(column "$2" | median)" "$(column "$2" | least)" "$(column "$2" | most)" >&3
}

# Of the rates in $rounds, a line each round.
column() { awk "{ print $1 }" "$rounds"; }
ratio()
{
	printf '**%.2f** (%.2f – %.2f)' "$(column "$1" | median)" \
		"$(column "$1" | least)" "$(column "$1" | most)"
}
median() { sort -g | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'; }
least() { sort -g | head -n 1; }
most() { sort -g | tail -n 1; }

# ---- what is gone, and still wanted ----

# Build refused.c, and let a rush empty policy 1 and option 10001 of all schemas, $units
# of each.
units=1000
sell_out()
{
	cc -O2 -I"$("$PG_CONFIG" --includedir)" -L"$("$PG_CONFIG" --libdir)" \
		-o "$SCRATCH/refused" refused.c -lpq
	run_sql -v units=$units -f refusals.sql >/dev/null
	say "Selling $units units of each"
	for wanted in sold_out out_of_stock; do
		for schema in commerce usual tuned; do
			refused $wanted $schema 0 32
		done
	done
}
# refused WHAT SCHEMA SECONDS CLIENTS: refusals per second, or INVALID. "error" is a
# bare error, whatever the schema.
refused()
{
	case $1 in
	sold_out) set -- "$@" SC203 "SELECT * FROM $2.issue_coupon(\$1, 1)" ;;
	out_of_stock)
		set -- "$@" SC301 \
			"SELECT * FROM $2.place_order(\$1, '[{\"option_id\":10001,\"quantity\":1}]')"
		;;
	error) set -- "$@" 22012 "SELECT \$1::bigint / 0" ;;
	esac
	"$SCRATCH/refused" "$4" "$3" "$5" 10000 "$6" || echo INVALID
}

# ---- around the figures ----

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
expect_sound() # SCHEMA
{
	if [ "$1" = commerce ]; then
		set -- commerce "$(run_sql -c 'SELECT count(*) FROM commerce.verify()')"
	else
		set -- "$1" "$(sed "s/tuned\./$1./g" verify_peer.sql | run_sql)"
	fi
	expect "invariants violated in $1" 0 "$2"
}
how_taken()
{
	say "Checking what was written"
	echo
	echo "Per second: medians of $ROUNDS × $SECONDS_EACH s, the sides taken in turn. Ratios are of the"
	echo "first to the others, round by round."
	echo
}

# The same shop in all three schemas, of tables of the same shape. To be called before
# the first measurement.
fill_schemas() # SQL_FILE...
{
	say "Filling the schemas"
	for file in tuned.sql usual.sql "$@" setup.sql; do
		run_sql -f "$file" >/dev/null
	done
	differences=$(run_sql -f same_shape.sql)
	if [ -n "$differences" ]; then
		say "The tables of schema tuned differ from those of schema commerce:"
		say "$differences"
		exit 1
	fi
	# In a shop without any order, foreign keys would be checked by plans for empty tables.
	for schema in commerce usual tuned; do
		place_orders $schema order_1.pgbench 1000
	done
	run_sql -c 'VACUUM ANALYZE'
}
# place_orders SCHEMA TEMPLATE HOW_MANY: one after the other.
place_orders()
{
	script=$SCRATCH/order.pgbench
	sed "s/FUNCTION/$1.place_order/" "$2" >"$script"
	pgbench_ok "$SCRATCH/pgbench.log" -c 1 -t "$3" -D users=10000 -f "$script" ||
		return
	echo "$3" >>"$SCRATCH/$1.order_one_by_one.count"
}
# start_measuring: takes what machine will compare with. Nothing is filled after it.
start_measuring()
{
	run_sql -c CHECKPOINT
	checkpoints_before=$(checkpoints)
	others=$(cpu_used_by_others)
	[ "${others%.*}" -lt 5 ] || say "WARNING: other processes use $others % of the CPU"
}
# The percentage of CPU time that was not idle in three seconds while we wait.
cpu_used_by_others()
{
	{ head -n 1 /proc/stat; sleep 3; head -n 1 /proc/stat; } | awk '
		{ for (i = 2; i <= NF; i++) total[NR] += $i; idle[NR] = $5 + $6 }
		END { printf "%.1f", 100 - 100 * (idle[2] - idle[1]) / (total[2] - total[1]) }'
}
# Those of its own accord: dropdb forces one, but between two measurements.
checkpoints() { grep -c 'checkpoint starting: \(time\|wal\)' "$PGDATA/log" || :; }

# What the figures were taken on: what belongs to the part here, the rest for run.sh.
machine()
{
	echo "- CPU used by others at the start: $others %"
	echo "- checkpoints meanwhile: $(($(checkpoints) - checkpoints_before))"
	unset PGOPTIONS
	machine_has Date "$(date -u +%Y-%m-%d)"
	machine_has CPU "$(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"
	machine_has Kernel "$(uname -sr)"
	machine_has PostgreSQL "$(run_sql -c 'SHOW server_version')"
	for setting in fsync synchronous_commit wal_sync_method shared_buffers \
		shared_preload_libraries; do
		machine_has $setting "$(run_sql -c "SHOW $setting")"
	done
}
machine_has() # WHAT VALUE
{
	printf 'machine\t%s\t%s\n' "$1" "$2" >&3
}
