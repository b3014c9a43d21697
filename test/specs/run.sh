#!/bin/sh
# Runs a spec after it has put the specs' helpers into the database, as a spec
# cannot include a file. pg_isolation_regress calls it as its launcher:
#
#   run.sh PSQL ISOLATIONTESTER CONNINFO <SPEC
set -eu

"$1" -X -q -v ON_ERROR_STOP=1 -d "$3" -f "$(dirname "$0")/helpers.sql" </dev/null
shift
exec "$@"
