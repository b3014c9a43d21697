#!/bin/sh
# The limits that CONTRIBUTING.md sets, on the sources. Reports as TAP, with the
# places that break a rule.
set -u
cd "$(dirname "$0")/.." || exit 1

number=0
failures=0
check() # NAME COMMAND...: passes if the command finds, and so prints, nothing
{
	number=$((number + 1))
	name=$1
	shift
	found=$("$@") || :
	if [ -z "$found" ]; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		printf '%s\n' "$found" | sed 's/^/#   /'
		failures=$((failures + 1))
	fi
}

skip() # NAME REASON
{
	number=$((number + 1))
	echo "ok $number - $1 # SKIP $2"
}

sources=$(find src -name '*.[ch]' -o -name '*.def' | sort)
headers=$(find src -name '*.h' | sort)
tests=$(echo test/sql/*.sql test/specs/*.spec)
parts=$(echo sql/[0-9]*.sql)
for files in "$sources" "$headers" "$tests" "$parts"; do
	# Nothing is found where nothing is read.
	[ "$(cat $files | wc -l)" -gt 100 ] || { echo "Bail out! Where are the sources?"; exit 1; }
done

longer_than() # LINES FILE...
{
	limit=$1
	shift
	wc -l "$@" | awk -v limit="$limit" '$2 != "total" && $1 > limit { print $2 ": " $1 " lines" }'
}

# From the line of its name to that of its last brace.
functions_longer_than() # LINES FILE...
{
	limit=$1
	shift
	awk -v limit="$limit" '
		FNR == 1 { name = "" }
		/^[A-Za-z_][A-Za-z0-9_]*\(/ {
			name = $0
			sub(/\(.*/, "", name)
			start = FNR
		}
		/^}/ && name != "" {
			if (FNR - start + 1 > limit)
				print FILENAME ":" start ": " name "() has " FNR - start + 1 " lines"
			name = ""
		}' "$@"
}

# But for a message, which is not broken so that it can be searched for.
lines_wider_than() # COLUMNS FILE...
{
	limit=$1
	shift
	for file; do
		expand -t 4 "$file" | awk -v limit="$limit" -v file="$file" '
			length > limit && !(match($0, /".*"/) && RLENGTH > 20) {
				print file ":" FNR ": " length " columns"
			}'
	done
}

# What is behind a string on its line is not looked at.
double_slash_comments() { grep -nE '^[^"]*//' $sources; }

headers_without_guard()
{
	for file in $headers; do
		name=$(basename "$file" .h | tr '[:lower:]' '[:upper:]')_H
		guard=$(sed -n '/^#/{s/^#ifndef //p;q;}' "$file")
		case $guard in
			COMMERCE_"$name" | RELAY_"$name") ;;
			*) echo "$file: begins without #ifndef COMMERCE_$name"; continue ;;
		esac
		grep -qx "#define $guard" "$file" && tail -n 1 "$file" | grep -q '^#endif' ||
			echo "$file: $guard is not defined, or does not end with the file"
	done
}

version_tests() { grep -n PG_VERSION_NUM $sources | grep -v '^src/base/compat\.h:'; }

# IF NOT EXISTS before a bracket is a condition of PL/pgSQL.
forgiving_sql() { grep -nE 'OR REPLACE|IF NOT EXISTS *([^ (]|$)' $parts; }

left_undone()
{
	find . -name .git -prune -o -type f \( -name Makefile -o -name '*.[ch1]' -o -name '*.def' \
		-o -name '*.sql' -o -name '*.psql' -o -name '*.spec' -o -name '*.sh' -o -name '*.p[lm]' \
		-o -name '*.md' \) -exec grep -nwE 'TOD[O]|FIXM[E]|XX[X]' {} +
}

# A type that is in no list is laid out as if it were a variable.
types_not_listed() # FOLDER FILE...
{
	list=$1/typedefs.list
	shift
	awk '
		/^typedef / { in_typedef = 1 }
		in_typedef && /^[^\t].*;/ {
			name = $0
			sub(/;.*/, "", name)
			if (!sub(/.*\(\*/, "", name) || !sub(/\).*/, "", name))
				sub(/.*[^A-Za-z0-9_]/, "", name)
			print name
			in_typedef = 0
		}' "$@" | grep -vxF -f "$list" | sed "s,\$, is not in $list: run make typedefs,"
}

check "a file in src has at most 700 lines" longer_than 700 $sources
check "a function has at most 70 lines" functions_longer_than 70 $sources
check "a line of C has at most 80 columns" lines_wider_than 80 $sources
if command -v pg_bsd_indent >/dev/null; then
	check "make indent would change nothing" test/indent.pl --check
else
	skip "make indent would change nothing" "pg_bsd_indent is not there"
fi
check "no comment begins with two slashes" double_slash_comments
check "every header has its guard" headers_without_guard
check "only base/compat.h tests PG_VERSION_NUM" version_tests
check "make indent knows the types of the extension" \
	types_not_listed src $(echo "$sources" | grep -v ^src/relay/)
check "make indent knows the types of the relay" \
	types_not_listed src/relay $(echo "$sources" | grep ^src/relay/)
check "the install script creates plainly" forgiving_sql
check "and finds no name that somebody else may have put there" test/lookups.pl $parts
check "a test has at most 200 lines" longer_than 200 $tests
check "nothing is left to be done later" left_undone
[ $failures = 0 ]
