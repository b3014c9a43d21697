#!/bin/sh
# The benchmark, on a throw-away server of its own: run.sh [-c setting=value]...
#
#   QUICK=1 run.sh                  three minutes instead of sixteen
#   ROUNDS=3 SECONDS_EACH=10 CLIENTS="1 16" run.sh
#
# TMPDIR says where the server keeps its data. The table goes to standard output
# and to results/latest.md; progress and errors go to standard error.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

"$here/../packages.sh" >&2
mkdir -p "$here/results"
result=$here/results/latest.md

# Durable as by default. No checkpoint falls into a measurement.
status=0
"$here/../server.sh" -c shared_buffers=1GB -c max_wal_size=32GB \
	-c checkpoint_timeout=1h -c log_checkpoints=on "$@" test/bench/measure.sh >"$result.new" || status=$?
cat "$result.new"
[ -s "$result.new" ] || { rm -f "$result.new"; exit 1; }
mv "$result.new" "$result"
exit $status
