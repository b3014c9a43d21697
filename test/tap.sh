# How a shell script reports as TAP: sourced. $number tests there were, $failures of
# them failed; what the last command printed is in the file $shown.
# shellcheck shell=sh
number=0
failures=0
shown=$(mktemp)
trap 'rm -f "$shown"' EXIT

check() # NAME COMMAND...
{
	number=$((number + 1))
	name=$1
	shift
	if "$@" >"$shown" 2>&1; then
		echo "ok $number - $name"
	else
		echo "not ok $number - $name"
		sed 's/^/#   /' "$shown"
		failures=$((failures + 1))
	fi
}
