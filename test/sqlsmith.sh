#!/bin/sh
# Lets sqlsmith send made-up queries to a loaded shop for SQLSMITH_SECONDS (600) as each
# level of access, or as these:
#
#   sqlsmith.sh [LEVEL...]
#
# No query may end a server process, break an assertion, or be an internal error, and
# the books must be right afterwards. SQLSMITH_SEED repeats the queries of a run.
set -eu
cd "$(dirname "$0")/.."

test/source_server.sh assertions -c fsync=off -c log_line_prefix=%u/%e/ \
	-c shared_preload_libraries=commerce -c commerce.databases=postgres test/sqlsmith/run.sh "$@"
