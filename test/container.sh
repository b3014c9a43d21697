#!/bin/sh
# Does what src/relay/Containerfile says, without an engine: each stage is a clean root of
# Debian, in which its commands run. Reports as TAP, and at the end "N passed, N
# failed". A machine on which no roots can be made skips all of that.
set -eu

. "$(dirname "$0")/roots.sh"
begin_roots deb "The test of the Containerfile"
release=bookworm
root=$cache/$release
archives=$cache/archives/$release
mkdir -p "$archives/partial"
prepare_root || skip_all "The test of the Containerfile" "the root cannot be made"
begin_work

passed=0
failed=0
check() # NAME COMMAND...
{
	name=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $name"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $name"
		tail -n 20 "$log" | sed 's/^/#   /'
	fi
}

# Its stages are folders of their names; the last one has none.
folder=/
user=
entry=
begin_stage() # IMAGE [AS NAME]
{
	[ "$1" = "debian:$release-slim" ] || return
	root=$work/${3:-last}
	folder=/
	user=
	cp -a "$cache/$release" "$root"
}
copy() # [--from=STAGE] FILE... TARGET
{
	from=$sources
	case $1 in --from=*)
		from=$work/${1#--from=}
		shift
	esac
	files=
	while [ $# -gt 1 ]; do
		files="$files $from/$1"
		shift
	done
	case $1 in /*) target=$root$1 ;; *) target=$root$folder/$1 ;; esac
	# A folder's contents are copied, as an engine does.
	if [ -d "${files# }" ]; then
		mkdir -p "$target" && cp -R ${files# }/. "$target"
	else
		cp $files "$target"
	fi
}
as_user() # COMMAND...
{
	in_root setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups "$@"
}

sed -e '/^#/d' -e '/^$/d' -e ':more' -e '/\\$/{N;s/\\\n[[:space:]]*/ /;b more' -e '}' \
	"$sources/src/relay/Containerfile" >"$work/instructions"
while read -r instruction rest <&3; do
	case $instruction in
		FROM) check "FROM $rest" begin_stage $rest ;;
		RUN) check "RUN $(echo "$rest" | cut -c 1-40)" in_root sh -c "cd '$folder' && $rest" ;;
		COPY) check "COPY $rest" copy $rest ;;
		WORKDIR)
			folder=$rest
			check "WORKDIR $rest" mkdir -p "$root$folder"
			;;
		USER) user=$rest ;;
		ENTRYPOINT) entry=$(echo "$rest" | sed 's/^\["\(.*\)"\]$/\1/') ;;
		CMD) check "what it makes starts" as_user "$entry" $(echo "$rest" | tr -d '[]",') ;;
		*) check "instruction $instruction" false ;;
	esac
done 3<"$work/instructions"

no_compiler() { ! in_root sh -c 'command -v gcc || command -v make'; }
check "it holds no compiler" no_compiler
misses_database() { as_user "$entry" --once --conninfo host=/nowhere --to stdout; [ $? = 2 ]; }
check "and all libraries that it needs" misses_database

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
