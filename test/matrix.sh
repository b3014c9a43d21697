#!/bin/sh
# Builds and tests on other releases of Debian, with the PostgreSQL that is theirs:
#
#   matrix.sh [RELEASE]...
#
# By default these are Debian 13 (trixie, PostgreSQL 17) and unstable (sid, 18).
# KINDS names the tests and kinds of tests, as test/run.sh calls them. Prints a block for
# each release, and at the end "N passed, N failed".
#
# roots.sh says where these are, and what they take. A machine that has not got that
# skips them.
set -eu

kinds=${KINDS:-regression isolation pgtap 050_notify_queue 081_router 089_router_refusals}
. "$(dirname "$0")/roots.sh"
spared='/usr/share/doc/* /usr/share/man/* /usr/share/locale/* /usr/lib/llvm-*/bin/*
	/usr/lib/llvm-*/include/* /usr/lib/llvm-*/lib/*.a'
begin_roots matrix "The matrix of releases"
passed=0
failed=0
for release in ${*:-trixie sid}; do
	root=$cache/$release
	printf '\n==== Debian %s\n' "$release"
	if ! prepare_root || ! in_root /mnt/test/packages.sh release >"$log" 2>&1; then
		tail -n 20 "$log"
		echo "$release is skipped: its root cannot be made"
		continue
	fi
	mkfifo "$log.fifo"
	tee "$log" <"$log.fifo" &
	in_root sh -c 'pg_config --version; cd /mnt &&
		COPT=-Werror exec test/server.sh -c fsync=off test/run.sh "$@"' sh $kinds \
		>"$log.fifo" 2>&1 || :
	wait
	rm "$log.fifo"
	set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
	[ $# = 2 ] || set -- 0 1 # broke off, as when it does not build
	passed=$((passed + $1))
	failed=$((failed + $2))
done

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
