# Sourced by what runs tests under a tool: what the tool writes into the folder
# $reports, one file a process, fails the run.
# shellcheck shell=sh
reports=$(mktemp -d "${TMPDIR:-/tmp}/commerce.XXXXXX")
trap 'rm -rf "$reports"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
chmod 777 "$reports"

run_reporting() # LINES COMMAND...: and so many lines of each report
{
	report_lines=$1
	shift
	status=0
	"$@" || status=$?
	for file in "$reports"/*; do
		[ -s "$file" ] || continue
		printf '\n-- %s\n' "${file##*/}"
		head -n "$report_lines" "$file"
		status=1
	done
	return $status
}
