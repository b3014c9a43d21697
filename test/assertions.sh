#!/bin/sh
# Runs tests on a server that checks its assertions, and with it ours, with stop
# points built in:
#
#   assertions.sh [NAME | KIND]...
#
# Names and kinds are those of test/run.sh; by default they are the regression and
# the isolation tests, those that stop calls and let them fail, the one that fuzzes a
# little, and that of the metrics, where memory that is gone would be counted.
# DISCARD=1 has the server forget what it caches whenever it may, so that what was kept
# for too long shows; the regression tests alone then run, for hours (T="NAME").
# Where apt cannot give PostgreSQL's source (source_server.sh), the usual server runs,
# and our assertions alone are compiled in.
set -eu
export STOPS=1

discard=${DISCARD:-0}
if [ "$discard" = 0 ]; then
	kinds=${*:-regression isolation 049_metrics 071_interleave 077_fuzz_corpus 079_failures}
else
	kinds=${*:-regression}
fi
top=$(cd "$(dirname "$0")/.." && pwd)

"$top/test/packages.sh" assertions
status=0
"$top/test/source_server.sh" assertions -c fsync=off -c debug_discard_caches="$discard" \
	test/run.sh $kinds || status=$?
if [ $status = 69 ]; then
	echo "Only our own assertions are checked"
	COPT="-Werror -DUSE_ASSERT_CHECKING" "$top/test/server.sh" -c fsync=off test/run.sh $kinds
	exit
fi
exit $status
