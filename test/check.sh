#!/bin/sh
# Runs the tests of these names, of any kind, on a server of their own, and shows
# what differs; or takes what regression and isolation tests print as what is
# expected of them:
#
#   check.sh [--accept] NAME...
set -eu
cd "$(dirname "$0")/.."
. test/names.sh

accept=
if [ "${1:-}" = --accept ]; then
	accept=1
	shift
fi
if [ $# = 0 ]; then
	echo "Which test? make check T=NAME, or T=\"NAME NAME\": the name of a file in" \
		"test/sql, test/specs, test/pgtap or test/t without its suffix, or" $script_tests >&2
	exit 2
fi

needs_server=
for name; do
	if ! kind=$(test_kind "$name"); then
		echo "there is no test \"$name\"" >&2
		near=$(near_names "$name")
		[ -z "$near" ] || echo "near:" $near >&2
		exit 2
	fi
	case $accept$kind in
		scripts) ;;
		1regression | 1isolation) needs_server=1 ;;
		1*)
			echo "$name has no expected output: only tests in test/sql and test/specs have" >&2
			exit 2
			;;
		*) needs_server=1 ;;
	esac
done

if [ -z "$needs_server" ]; then
	status=0
	for name; do
		"test/$name.sh" || status=1
	done
	exit $status
fi
test/packages.sh test
[ -n "$accept" ] || exec test/server.sh -c fsync=off test/run.sh "$@"

# The server's folder goes with the server, so the results come through a pipe.
unset KEEP
results=$(mktemp)
trap 'rm -f "$results"' EXIT
test/server.sh -c fsync=off sh -c '
	test/run.sh "$@" >&2 || :
	cd results && tar -cf - $(printf "%s.out\n" "$@")' accept "$@" >"$results"
tar -x --no-same-owner -f "$results" -C expected

printf '\n'
cd expected
set -- $(printf '%s.out\n' "$@")
git ls-files --others --exclude-standard -- "$@" | sed 's/$/ (new)/'
git --no-pager diff --stat -- "$@"
