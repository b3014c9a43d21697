#!/bin/sh
# The benchmark, on throw-away servers of its own: run.sh [-c setting=value]...
#
#   QUICK=1 run.sh                  two or three minutes instead of an hour
#   PARTS="coupons cost" run.sh     some of its parts
#   ROUNDS=3 SECONDS_EACH=10 CLIENTS="1 16" run.sh
#   BEFORE=HEAD~20 PARTS=versions run.sh    beside the code of another commit
#
# TMPDIR says where the servers keep their data. The tables go to standard output and
# to results/latest.md, plots beside it, with QUICK=1 in results/quick; progress
# and errors go to standard error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
results=$here/results
parts="measure contention snapshot isolation batches coupons refusals latency grown cost cpu waits cluster transmission"
if [ "${QUICK:-}" = 1 ]; then
	results=$results/quick
	parts=${parts% cpu waits cluster transmission}
fi
: "${PARTS:=$parts}"

"$here/../packages.sh" bench >&2
mkdir -p "$results"
result=$results/latest
status=0

# Durable as by default. No checkpoint falls into a measurement, but where it should.
on_server() # [-c setting=value]... COMMAND
{
	"$here/../server.sh" -c shared_preload_libraries=commerce -c commerce.databases=postgres \
		-c shared_buffers=1GB -c max_wal_size=32GB -c checkpoint_timeout=1h \
		-c log_checkpoints=on "$@" 3>>"$result.tsv.new" >>"$result.md.new" || status=$?
}

# The sources of the commit BEFORE, for the part that compares it with these, where the
# server's user can read them.
archive_before()
{
	root=$here/../..
	BEFORE_NAME=$(git -C "$root" log -1 --format=%h "${BEFORE:?PARTS=versions needs BEFORE, a commit}")
	BEFORE_SOURCES=$(mktemp -d "${TMPDIR:-/tmp}/commerce_before.XXXXXX")
	export BEFORE BEFORE_NAME BEFORE_SOURCES
	trap 'rm -rf "$BEFORE_SOURCES"' EXIT
	chmod 755 "$BEFORE_SOURCES"
	git -C "$root" archive "$BEFORE_NAME" | tar -xf - -C "$BEFORE_SOURCES"
}

machine_table()
{
	echo
	echo "### The machine"
	echo
	echo "| | |"
	echo "|---|---|"
	awk -F '\t' '$1 == "machine" && !($0 in seen) { seen[$0] = 1; print "| " $2 " | " $3 " |" }' \
		"$result.tsv.new"
}

: >"$result.md.new"
: >"$result.tsv.new"
for part in $PARTS; do
	echo "== $part" >&2
	if [ "$part" = transmission ]; then
		on_server -c track_commit_timestamp=on -c max_connections=200 "$@" \
			test/bench/transmission.sh
	elif [ "$part" = latency ]; then
		on_server -c checkpoint_timeout=30s -c autovacuum_naptime=10s "$@" test/bench/latency.sh
	elif [ "$part" = waits ]; then
		on_server -c shared_preload_libraries=commerce,pg_wait_sampling \
			-c pg_wait_sampling.profile_period=10 -c pg_wait_sampling.history_period=10000 \
			-c pg_wait_sampling.profile_queries=off "$@" test/bench/waits.sh
	else
		[ "$part" != versions ] || archive_before
		on_server "$@" "test/bench/$part.sh"
	fi
done
machine_table >>"$result.md.new"
[ "${QUICK:-}" != 1 ] || [ "$PARTS" != "$parts" ] || {
	echo
	echo "A quick run: without CPU time, waits and transmission, and too short for figures to rely on."
} >>"$result.md.new"
cat "$result.md.new"
mv "$result.md.new" "$result.md"
mv "$result.tsv.new" "$result.tsv"
gnuplot -e "tsv='$result.tsv'; folder='$results'" "$here/plot.gp" || status=$?
exit $status
