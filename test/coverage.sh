#!/bin/sh
# Runs tests on code that counts which of its lines ran:
#
#   coverage.sh [NAME | KIND]...
#
# Names and kinds are those of test/run.sh; without any, all tests run, and a function
# with a line that they do not reach must be in coverage.reasons. Prints a line for each
# file of src; coverage/index.html then shows each line. What ran in a process that was
# killed is not counted.
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
		mv coverage.info coverage &&
		tar -cf - coverage' coverage "$@" >"$pages"
rm -rf coverage
tar -x --no-same-owner -f "$pages"
[ $# = 0 ] || exit 0

# A function's lines follow its name, in lcov's order of a file: all names, then all lines.
awk -F '[:,]' '
	FILENAME ~ /reasons$/ {
		if (/^\t/)
			has_reason[substr($0, 2)] = 1
		next
	}
	$1 == "SF" { file = $2; sub(/.*\/src\//, "", file); functions = 0 }
	$1 == "FN" { functions++; first[functions] = $2; name[functions] = $NF }
	$1 == "DA" && $3 == 0 {
		nearest = 0
		for (i = 1; i <= functions; i++)
			if (first[i] <= $2 && (nearest == 0 || first[i] > first[nearest]))
				nearest = i
		where = file " " name[nearest]
		if (!(where in has_reason)) {
			printf "not reached: src/%s, line %d, in %s: test/coverage.reasons does not say why\n",
				file, $2, name[nearest]
			left = 1
		}
	}
	END { exit left }' test/coverage.reasons coverage/coverage.info
