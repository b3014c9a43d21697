#!/bin/sh
# Writes the lists of the types that the sources name, for make indent: a
# typedefs.list for each program. The compiler says which names are types, in
# what it writes for a debugger. A word in a comment counts as a name as well.
set -eu
cd "$(dirname "$0")/.."

sources=$(pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

types() # OBJECT...
{
	objdump --dwarf=info "$@" | awk '
		/DW_TAG_/ { wanted = /DW_TAG_typedef/ }
		wanted && /DW_AT_name/ { sub(/.*: /, ""); print; wanted = 0 }' | sort -u
}
words() # FILE...
{
	grep -ohE '[A-Za-z_][A-Za-z0-9_]*' "$@" | sort -u
}
# The files that find's EXPRESSION chooses below the folder.
write_list() # FOLDER EXPRESSION...
{
	folder=$1
	shift
	types $(find "$folder" -name '*.o' "$@") >types
	words $(find "$folder" -name '*.[ch]' "$@") >words
	{ comm -12 types words; echo bool; } | sort -u >list
	[ "$(wc -l <list)" -gt 3 ] || { echo "$folder: no types found" >&2; exit 1; }
	cp list "$sources/$folder/typedefs.list"
}

export LC_ALL=C
tar -cf - --exclude-vcs --exclude='*.o' --exclude='*.so' --exclude='*.d' --exclude=commerce_relay . | tar -xf - -C "$scratch"
cd "$scratch"
unset MAKEFLAGS MFLAGS MAKELEVEL
debug='-g -O0 -fno-eliminate-unused-debug-types'
make -s STOPS=1 -j"$(nproc)" COPT="$debug" >log 2>&1 || { cat log >&2; exit 1; }
for file in test/bench/*.c; do
	cc $debug -I"$("${PG_CONFIG:-pg_config}" --includedir)" -c "$file" -o "${file%.c}.o"
done

write_list src ! -path 'src/relay/*'
write_list src/relay
write_list test/bench
