#!/bin/sh
# Runs tests on code that counts which of its lines ran:
#
#   coverage.sh [NAME | KIND]...
#
# Names and kinds are those of test/run.sh; without any, all tests run. Prints
# a line for each file of src; coverage/index.html then shows each line. What
# ran in a process that was killed is not counted.
set -eu
cd "$(dirname "$0")/.."

# The server's folder goes with the server, so the pages come through a pipe.
unset KEEP
pages=$(mktemp)
trap 'rm -f "$pages"' EXIT
COPT="--coverage" test/server.sh -c fsync=off sh -c '
	test/run.sh "$@" >&2 || :
	lcov --quiet --capture --no-external --directory . --output-file coverage.info \
		2>"$SCRATCH/log" || { cat "$SCRATCH/log" >&2; exit 1; }
	lcov --list coverage.info >&2 &&
		genhtml --quiet --prefix "$PWD" --output-directory coverage coverage.info &&
		tar -cf - coverage' coverage "$@" >"$pages"
rm -rf coverage
tar -x --no-same-owner -f "$pages"
