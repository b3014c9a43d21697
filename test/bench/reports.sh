#!/bin/sh
# How long reports take on 1,000,000 orders: prints a table. By itself or through
# test/server.sh; about a minute.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -n "${SCRATCH:-}" ] || exec "$here/../server.sh" "test/bench/$(basename "$0")" "$@"
psql -X -q -A -t -v ON_ERROR_STOP=1 -f "$here/reports.sql"
