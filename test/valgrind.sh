#!/bin/sh
# Runs tests with every server process under valgrind, with PostgreSQL's suppressions:
#
#   valgrind.sh [NAME | KIND]...
#
# Names and kinds are those of test/run.sh; by default they are the regression tests,
# which take about an hour. The server tells valgrind of its own kind of memory, so that
# use of what was not set, or was freed, is seen there too. Whatever valgrind says of a
# process is shown at the end, and fails the run, whether or not a test does.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
kinds=${*:-regression}

. "$top/test/reports.sh"

# A backend is a fork, not another program: it needs no option to be followed.
export POSTGRES_UNDER="valgrind --quiet --leak-check=no --error-limit=no --num-callers=30 \
--suppressions=\$SERVER_FOLDER/valgrind.supp --log-file=$reports/report.%p"
export COPT="-Werror -g"

run_reporting 100 "$top/test/source_server.sh" valgrind -c fsync=off test/run.sh $kinds
