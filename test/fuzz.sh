#!/bin/sh
# Gives the parsers made-up input for FUZZ_SECONDS (60) each: all, or those of these
# names, the folders of test/fuzz/corpus:
#
#   fuzz.sh [NAME...]
#
# What led to a finding is then in test/fuzz/found. FUZZ_CORPUS=1 renews the corpus.
# items and requests run in a backend: one of a server that checks its memory.
set -eu
cd "$(dirname "$0")/.."

# The server's folder goes with the server, so the inputs come through a pipe.
unset KEEP
inputs=$(mktemp)
trap 'rm -f "$inputs"' EXIT
status=0
test/source_server.sh assertions -c fsync=off sh -c '
	status=0
	test/fuzz/run.sh "$@" >&2 || status=$?
	tar -cf - test/fuzz/found test/fuzz/corpus
	exit $status' fuzz "$@" >"$inputs" || status=$?
tar -x --no-same-owner -f "$inputs" test/fuzz/found 2>/dev/null || :
if [ "${FUZZ_CORPUS:-}" = 1 ] && [ $status = 0 ]; then
	rm -rf test/fuzz/corpus
	tar -x --no-same-owner -f "$inputs" test/fuzz/corpus
fi
rmdir test/fuzz/found 2>/dev/null || :
exit $status
