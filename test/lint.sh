#!/bin/sh
# What cppcheck and clang-tidy (.clang-tidy) say of the C files: lint.sh
#
# Prints it, and fails if it is anything.
set -eu
cd "$(dirname "$0")/.."

pg_config=${PG_CONFIG:-pg_config}
version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" commerce.control)
version_num=$(sed -n 's/^#define PG_VERSION_NUM //p' "$("$pg_config" --includedir-server)/pg_config.h")
jobs=$(nproc)
status=0

# Without the server's headers, which it takes minutes to read: it is told what
# the macros do. Declarations come first, so their scope is the function. That
# PG_CATCH() is not always passed, and that refusal_raise() does not return, it
# cannot be told.
echo "cppcheck"
cppcheck --quiet --error-exitcode=1 --std=c11 -j "$jobs" \
	--enable=warning,style,performance,portability --suppress=variableScope --suppress=nullPointerRedundantCheck \
	--suppress=redundantAssignment:src/worker/sweep.c \
	-DPG_VERSION_NUM="$version_num" -DHAVE_INT128 -D'foreach(cell, list)=while (cell = next(list))' \
	-Dpg_noreturn=_Noreturn -Isrc src test/bench || status=1

# Each file by itself: clang-tidy 14 takes state from one to the next. With
# assertions it knows what a caller promises.
echo "clang-tidy"
find src test/bench -name '*.c' | sort | xargs -P "$jobs" -n 1 sh -c '
	clang-tidy --quiet "$4" -- -std=gnu99 -D_GNU_SOURCE -DUSE_ASSERT_CHECKING \
		-DCOMMERCE_VERSION=\"$1\" -Isrc -isystem "$2" -isystem "$3" 2>/dev/null' \
	sh "$version" "$("$pg_config" --includedir-server)" "$("$pg_config" --includedir)" || status=1
exit $status
