#!/bin/sh
# Runs tests on code that is built with AddressSanitizer and with
# UndefinedBehaviorSanitizer:
#
#   sanitize.sh [NAME | KIND]...
#
# Names and kinds are those of test/run.sh; by default they are the regression and the
# isolation tests, and those of the relay. The server is the one of "make
# test-assertions", which knows where memory of its own kind ends. Whatever a sanitizer
# says of a process is shown at the end, and fails the run, whether or not a test does.
# What the relay did not free when it ended is said too.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
if [ $# = 0 ]; then
	set -- regression isolation
	for file in "$top"/test/t/*_relay_*.pl; do
		file=${file##*/}
		set -- "$@" "${file%.pl}"
	done
fi

. "$top/test/reports.sh"

# The relay has AddressSanitizer built in; a server gets it first. What a server did not
# free goes with its end. Undefined behaviour is an illegal instruction, of which
# AddressSanitizer tells: gcc's two libraries do not share a place for reports.
export ASAN_OPTIONS="log_path=$reports/report:handle_sigill=1:verify_asan_link_order=0"
POSTGRES_UNDER="env LD_PRELOAD=$(gcc -print-file-name=libasan.so)"
export POSTGRES_UNDER="$POSTGRES_UNDER ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0"
export COPT="-Werror -g -fsanitize=address,undefined -fsanitize-undefined-trap-on-error \
-fno-omit-frame-pointer"

run_reporting 60 "$top/test/source_server.sh" assertions -c fsync=off test/run.sh "$@"
