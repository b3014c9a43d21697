#!/bin/sh
# How long metrics() takes on ORDERS orders (10,000,000): prints a table. By itself or
# through test/server.sh; some minutes, and 6 GB of disk.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ -n "${SCRATCH:-}" ] || exec "$here/../server.sh" \
	-c shared_preload_libraries=commerce -c commerce.databases=postgres \
	-c shared_buffers=1GB -c max_wal_size=16GB -c fsync=off "test/bench/$(basename "$0")" "$@"
psql -X -q -A -t -v ON_ERROR_STOP=1 -v orders="${ORDERS:-10000000}" -f "$here/metrics.sql"
