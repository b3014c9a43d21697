#!/bin/sh
# Tests, on the server that test/server.sh gave us: all, or those of these names or
# kinds (names.sh has both):
#
#   run.sh [NAME | KIND]...
#
# Prints each kind's result, what differs where one failed, and at the end
# "N passed, N failed".
set -u
. test/names.sh

passed=0
failed=0
log=$SCRATCH/suite.log

# suite NAME COMMAND...: runs one kind of tests, shows its output and counts.
suite()
{
	printf '\n== %s\n' "$1"
	shift
	{ "$@" 2>&1; echo $? >"$SCRATCH/status"; } | tee "$log"
	set -- $(count_results "$(cat "$SCRATCH/status")")
	passed=$((passed + $1))
	failed=$((failed + $2))
	[ "$2" = 0 ]
}

# Passed and failed tests in the log, as reported by pg_regress, by TAP or by
# prove, which lists the files that failed, some of them (Failed: 0) by
# breaking off; what failed in them it may have shown before. A failure without
# any such line is one failed test.
count_results() # STATUS
{
	awk -v status="$1" '
		/^ok / || /^(test|    ).* \.\.\. ok/ { passed++ }
		/^not ok / || /^(test|    ).* \.\.\. FAILED/ { shown++ }
		/^Files=/ {
			by_prove = 1
			sub(".*Tests=", "")
			passed += $1 - failed_in_files
			failed_in_files = 0
		}
		/\(Wstat: / {
			sub(".*Failed: ", "")
			failed_in_files += $1
			failed += $1 == 0 ? 1 : $1
		}
		END {
			if (!by_prove)
				failed = shown
			print passed + 0, failed + (status != 0 && failed == 0)
		}' "$log"
}

show_differences()
{
	cat regression.diffs 2>/dev/null
	rm -f regression.diffs
}

files_of() # FOLDER SUFFIX NAME...
{
	folder=$1
	suffix=$2
	shift 2
	printf "$folder/%s$suffix\n" "$@"
}

scripts()
{
	scripts_status=0
	for name in $scripts_asked; do
		"test/$name.sh" || scripts_status=1
	done
	return $scripts_status
}

# One pgTAP file has one database to itself.
pgtap()
{
	pgtap_status=0
	for file in $(files_of test/pgtap .sql $pgtap_asked); do
		createdb commerce_pgtap || return
		PGDATABASE=commerce_pgtap PGOPTIONS='--client-min-messages=warning' \
			prove --failures --comments --exec 'psql -X -q -A -t -v ON_ERROR_STOP=1 -f' \
			"$file" || pgtap_status=1
		dropdb commerce_pgtap || return
	done
	return $pgtap_status
}

# Two at a time: they wait more than they compute, each for servers of its own. Some share
# sources that they build in.
tap()
{
	pgxs=$(dirname "$("$PG_CONFIG" --pgxs)")/..
	TESTDIR=$SCRATCH TESTDATADIR=$SCRATCH/tmp_check TESTLOGDIR=$SCRATCH/tmp_check/log \
		PG_REGRESS=$pgxs/test/regress/pg_regress \
		prove -j 2 --timer --rules 'seq=test/t/0{39,41,42,46,47}_*' --rules 'par=**' \
		-I "$pgxs/test/perl" $(files_of test/t .pl $tap_asked)
}

show_tap_logs()
{
	sed -n 's,^test/t/\(.*\)\.pl .*(Wstat: .*,\1,p' "$log" | while read -r name; do
		printf '\n-- end of the log of %s, without what passed\n' "$name"
		grep -v '^\[.*) ok ' "$SCRATCH/tmp_check/log/regress_log_$name" | tail -n 60
	done
}

no_crash()
{
	if grep -E 'terminated by signal|PANIC: |TRAP: ' "$PGDATA/log"; then
		return 1
	fi
	echo "ok 1 - no server process crashed"
}

# What was asked for, kind by kind.
by_kind=
scripts_asked= regression_asked= isolation_asked= pgtap_asked= tap_asked=
for asked in ${*:-$test_kinds}; do
	case " $test_kinds " in
		*" $asked "*)
			by_kind=1
			kind=$asked
			names=$(test_names "$asked" | tr '\n' ' ')
			;;
		*)
			kind=$(test_kind "$asked") || { echo "there is no test \"$asked\"" >&2; exit 2; }
			names=$asked
	esac
	eval "${kind}_asked=\"\$${kind}_asked \$names\""
done

# A test that has no result yet differs from nothing. (This is the server's copy of
# the sources.)
if [ -z "$by_kind" ]; then
	for name in $regression_asked $isolation_asked; do
		[ -e "expected/$name.out" ] || : >"expected/$name.out"
	done
fi

[ -z "$scripts_asked" ] || suite "what the sources show" scripts
[ -z "$regression_asked" ] || suite "regression tests" \
	make -s installcheck REGRESS="$regression_asked" ISOLATION= || show_differences
[ -z "$isolation_asked" ] || suite "isolation tests" \
	make -s installcheck REGRESS= ISOLATION="$isolation_asked" || show_differences
[ -z "$pgtap_asked" ] || suite "pgTAP tests" pgtap
[ -z "$tap_asked" ] || suite "TAP tests" tap || show_tap_logs
[ -z "$by_kind" ] || suite "server log" no_crash

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
