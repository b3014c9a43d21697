#!/bin/sh
# Writes a page about a shop for whoever owns it: report.sh [FILE], by default
# commerce-report.html. The database is what psql connects to (PGDATABASE, PGHOST and so
# on); its role needs level reader. Days are those of the time zone TZ.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
file=${1:-commerce-report.html}

records=$(mktemp)
trap 'rm -f "$records" "$file.new"' EXIT
psql -X -q -A -t -F "$(printf '\037')" -P null= -v ON_ERROR_STOP=1 \
	-v zone="${TZ:-UTC}" -f "$here/report.sql" >"$records"
LC_ALL=C.UTF-8 awk -f "$here/report.awk" "$records" >"$file.new"
mv "$file.new" "$file"
echo "$file"
