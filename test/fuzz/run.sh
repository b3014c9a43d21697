#!/bin/sh
# Runs fuzz targets, on the server that test/source_server.sh gave us: all, or those of
# these names, each for FUZZ_SECONDS; with 0 the corpus alone:
#
#   fuzz/run.sh [NAME...]
#
# The inputs that led to a finding are then in found. With FUZZ_CORPUS=1 the relay's
# corpus gets what was found to reach more of the code; files with a name of their own
# stay.
set -eu
cd "$(dirname "$0")"

seconds=${FUZZ_SECONDS:-60}
case $seconds in
	'' | *[!0-9]*)
		echo "FUZZ_SECONDS must be a whole number, not \"$seconds\"" >&2
		exit 2
		;;
esac
[ $# != 0 ] || set -- answer retry_after config headers secret items requests
for name; do
	[ -d "corpus/$name" ] || { echo "there is no fuzz target \"$name\"" >&2; exit 2; }
done

log=$SCRATCH/fuzz.log
make -s -j"$(nproc)" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
mkdir -p found

# A server in single-user mode ends as libFuzzer does.
asan=$(clang -print-file-name=libclang_rt.asan-x86_64.so)
folder=$SCRATCH/fuzz-data
backend() # STATEMENT
{
	printf '%s\n' "$1" | LD_PRELOAD=$asan \
		postgres --single -j -D "$folder" postgres
}
prepare_backend()
{
	initdb -D "$folder" -U postgres --no-locale -E UTF8 --no-sync --no-instructions &&
		backend "CREATE FUNCTION fuzz(text, VARIADIC text[]) RETURNS void
			LANGUAGE C AS '$PWD/built/fuzz.so'"
}

target() # NAME ARGUMENT...
{
	case $1 in
		items | requests)
			[ -d "$folder" ] || prepare_backend >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
			backend "SELECT fuzz($(printf "'%s', " "$@" | sed 's/, $//'))"
			;;
		*)
			program=built/$1
			shift
			"$program" "$@"
			;;
	esac
}

passed=0
failed=0
for name; do
	new=$SCRATCH/fuzz-$name
	mkdir -p "$new"
	how=-max_total_time=$seconds
	[ "$seconds" != 0 ] || how=-runs=0
	# A wrong configuration file ends the relay, so that it need not free anything; nor
	# need a server.
	case $name in
		config | items | requests) export ASAN_OPTIONS=detect_leaks=0 ;;
		*) unset ASAN_OPTIONS ;;
	esac
	printf '\n== %s\n' "$name"
	if target "$name" "$how" -max_len=1000 -timeout=10 -print_final_stats=1 \
		"-artifact_prefix=$PWD/found/$name-" "$new" "$PWD/corpus/$name" >"$log" 2>&1; then
		grep -E '^(Done|stat::number_of|stat::average)|INITED' "$log" || :
		passed=$((passed + 1))
	else
		tail -n 60 "$log"
		failed=$((failed + 1))
	fi
	# A backend cannot call itself, as a merge does.
	if [ "${FUZZ_CORPUS:-}" = 1 ] && [ -x "built/$name" ]; then
		# What libFuzzer called so, by the sum of its bytes.
		find "corpus/$name" -name '????????????????????????????????????????' -exec mv {} "$new" \;
		"built/$name" -merge=1 -use_counters=0 "corpus/$name" "$new" >"$log" 2>&1 ||
			{ cat "$log" >&2; exit 1; }
	fi
done

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
