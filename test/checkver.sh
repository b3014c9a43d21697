#!/bin/sh
# The places that name the version agree, and so do the names of the tests.
# Reports as TAP.
set -u
cd "$(dirname "$0")/.." || exit 1

. test/tap.sh

# SQL objects have the version 1.0; a release of them is 1.0.0, 1.0.1 and so on.
sql_version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" commerce.control)
release=$(sed -n 's/^## \([0-9.]*\).*/\1/p' CHANGELOG.md | sed 1q)
meta_versions() { sed -n 's/.*"version": "\([0-9.]*\)".*/\1/p' META.json | sort -u; }

# 1.0.0-1: what is before the hyphen is the release.
debian_release() { sed -n '1s/^commerce (\(.*\)-[^-]*) .*/\1/p' debian/changelog; }

# Each test has a result, each result a test, and none is named as a file in
# sql/ is: pg_regress would run that one.
tests()
{
	for file in test/sql/*.sql test/specs/iso_*.spec; do
		[ ! -e "$file" ] || basename "${file%.*}"
	done
}
tests_have_results()
{
	[ "$(tests | sort)" = "$(for file in expected/*.out; do
		[ ! -e "$file" ] || basename "$file" .out
	done | sort)" ]
}
no_test_hides()
{
	for file in sql/*.sql; do
		[ ! -e "test/$file" ] || return 1
	done
}

# Joined without PGXS, as whoever packs the sources does.
make_joins_script()
{
	make -s PG_CONFIG=none "sql/commerce--$sql_version.sql" &&
		[ -s "sql/commerce--$sql_version.sql" ]
}

# A file of another name would be in no script.
sql_holds_parts()
{
	for file in sql/*; do
		case $file in
			sql/[0-9][0-9]_*.sql | sql/commerce--*--*.sql | "sql/commerce--$sql_version.sql") ;;
			sql/router | sql/commerce_router--*--*.sql | "sql/commerce_router--$sql_version.sql") ;;
			*) return 1 ;;
		esac
	done
}

# A character that a database's encoding lacks would keep the extension out.
script_is_ascii() { ! LC_ALL=C grep -q '[^ -~[:space:]]' sql/*.sql commerce.control; }

check "CHANGELOG.md: release ${release%.*} of SQL version $sql_version" \
	[ "${release%.*}" = "$sql_version" ]
check "META.json: release $release" [ "$(meta_versions)" = "$release" ]
check "debian/changelog: release $release" [ "$(debian_release)" = "$release" ]
check "META.json: provides sql/commerce--$sql_version.sql" \
	grep -q "\"sql/commerce--$sql_version.sql\"" META.json
check "make joins sql/commerce--$sql_version.sql" make_joins_script
check "sql/ holds its parts, and upgrade scripts" sql_holds_parts
check "sql/*.sql are ASCII" script_is_ascii
check "every test has a result, every result a test" tests_have_results
check "no test is named as a file in sql/ is" no_test_hides
[ $failures = 0 ]
