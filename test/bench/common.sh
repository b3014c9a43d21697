# What measure.sh and transmission.sh share: sourced by both, in this folder.
# They set ROUNDS; a figure that is worth nothing sets failed.
# shellcheck shell=sh disable=SC2034
failed=0
rounds=$SCRATCH/rounds

run_sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
say() { echo "$@" >&2; }

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

# successes_per_second FUNCTION TEMPLATE SECONDS CLIENTS: prints the rate, or
# INVALID. Transactions are counted in $SCRATCH/<schema>.<template>.count.
successes_per_second()
{
	function=$1 template=$2 seconds=$3 clients=$4
	script=$SCRATCH/$function.$template
	log=$SCRATCH/pgbench.log
	sed "s/FUNCTION/$function/" "$template" >"$script"
	rate=INVALID
	! pgbench_ok "$log" -c "$clients" -T "$seconds" -f "$script" || rate=$(tps "$log")
	count=$(processed "$log")
	echo "${count:-0}" >>"$SCRATCH/${function%%.*}.$template.count"
	echo "${rate%.*}"
}
transactions() { awk '{ n += $1 } END { print n + 0 }' "$SCRATCH/$1"; }

# The percentage of CPU time that was not idle in three seconds while we wait.
cpu_used_by_others()
{
	{ head -n 1 /proc/stat; sleep 3; head -n 1 /proc/stat; } | awk '
		{ for (i = 2; i <= NF; i++) total[NR] += $i; idle[NR] = $5 + $6 }
		END { printf "%.1f", 100 - 100 * (idle[2] - idle[1]) / (total[2] - total[1]) }'
}
warn_of_others() # PERCENTAGE
{
	[ "${1%.*}" -lt 5 ] || say "WARNING: other processes use $1 % of the CPU"
}

# Those of its own accord: dropdb forces one, but between two measurements.
checkpoints() { grep -c 'checkpoint starting: \(time\|wal\)' "$PGDATA/log" || :; }

# Of the rates in $rounds, a line each round.
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

# machine PERCENTAGE CHECKPOINTS: what the figures were taken on. The arguments are
# what cpu_used_by_others and checkpoints said at the start.
machine()
{
	cat <<-MACHINE

		| | |
		|---|---|
		| Date | $(date -u +%Y-%m-%d) |
		| CPU | $(nproc) × $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1) |
		| CPU used by others at the start | $1 % |
		| Kernel | $(uname -sr) |
		| PostgreSQL | $(run_sql -c 'SHOW server_version') |
		| fsync, synchronous_commit | $(run_sql -c 'SHOW fsync'), $(run_sql -c 'SHOW synchronous_commit') |
		| wal_sync_method | $(run_sql -c 'SHOW wal_sync_method') |
		| Checkpoints meanwhile | $(($(checkpoints) - $2)) |
		| shared_buffers | $(run_sql -c 'SHOW shared_buffers') |
		| shared_preload_libraries | $(run_sql -c 'SHOW shared_preload_libraries') |
	MACHINE
}
