#!/bin/sh
# The benchmark, on throw-away servers of its own: run.sh [-c setting=value]...
#
#   QUICK=1 run.sh                  six minutes instead of thirty
#   ROUNDS=3 SECONDS_EACH=10 CLIENTS="1 16" run.sh
#
# TMPDIR says where the server keeps its data. The tables go to standard output
# and to results/latest.md; progress and errors go to standard error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

"$here/../packages.sh" bench >&2
mkdir -p "$here/results"
result=$here/results/latest.md

# Durable as by default. No checkpoint falls into a measurement.
on_server() # [-c setting=value]... COMMAND
{
	"$here/../server.sh" -c shared_preload_libraries=commerce -c commerce.databases=postgres \
		-c shared_buffers=1GB -c max_wal_size=32GB -c checkpoint_timeout=1h -c log_checkpoints=on "$@" >>"$result.new" || status=$?
}
status=0
: >"$result.new"
on_server "$@" test/bench/measure.sh
on_server -c track_commit_timestamp=on -c max_connections=200 "$@" test/bench/transmission.sh
cat "$result.new"
[ -s "$result.new" ] || { rm -f "$result.new"; exit 1; }
mv "$result.new" "$result"
exit $status
