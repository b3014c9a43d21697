#!/bin/sh
# Runs a command with a server of its own, as server.sh does, but of a PostgreSQL that
# is built for tests:
#
#   source_server.sh KIND [-c setting=value]... COMMAND [ARGUMENT]...
#
#   assertions   checks its assertions, and what is written past the end of memory
#   valgrind     the same, and tells valgrind which of its memory is in use
#
# It is of the major version that we build for, made from Debian's source package by
# the first run, which takes some minutes, and stays in COMMERCE_CACHE
# (~/.cache/commerce). Exits with 69 where apt cannot give the source. The command finds
# it in SERVER_FOLDER, with valgrind.supp, what valgrind is not to say of it.
set -eu

kind=$1
shift
top=$(cd "$(dirname "$0")/.." && pwd)
cache=${COMMERCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce}/$kind
pg_config=${PG_CONFIG:-pg_config}
major=$("$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
server=$cache/server-$major
case $kind in
	assertions) flags=-O1 ;;
	valgrind) flags="-O1 -g -DUSE_VALGRIND" ;;
	*) echo "there is no kind \"$kind\"" >&2; exit 2 ;;
esac

work=
clean_up() { [ -z "$work" ] || rm -rf "$work"; }
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Apt with a configuration of its own: the sources of what this machine installs
# from, and nothing written outside of the folder. Versions come newest first;
# a mirror may lack one that it lists.
get_source()
{
	mkdir -p parts lists/partial cache/archives/partial
	sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >sources.list 2>/dev/null || :
	for file in /etc/apt/sources.list.d/*; do
		case $file in
			*.list) sed -n 's/^deb /deb-src /p' "$file" >"parts/${file##*/}" ;;
			*.sources) sed 's/^Types:.*/Types: deb-src/' "$file" >"parts/${file##*/}" ;;
		esac
	done
	cat >apt.conf <<-CONF
		Dir::Etc::sourcelist "$PWD/sources.list";
		Dir::Etc::sourceparts "$PWD/parts";
		Dir::State::lists "$PWD/lists";
		Dir::Cache "$PWD/cache";
		APT::Sandbox::User "root";
	CONF
	export APT_CONFIG="$PWD/apt.conf"
	apt-get update -q || :
	for version in $(apt-cache showsrc --only-source "postgresql-$major" |
		sed -n 's/^Version: //p' | sort -Vru); do
		! apt-get source -q --download-only "postgresql-$major=$version" || return 0
	done
	return 1
}

build()
{
	mkdir source
	tar -xf postgresql-*.orig.tar.* -C source --strip-components=1
	cd source
	unset MAKEFLAGS MFLAGS MAKELEVEL # PostgreSQL asks whether it is the first make
	./configure --prefix="$work/server" --enable-cassert --enable-tap-tests \
		--disable-rpath --without-icu --without-readline --without-zlib CFLAGS="$flags"
	make -s -j"$(nproc)" install
	cp src/tools/valgrind.supp "$work/server"
}

mkdir -p "$cache"
if [ ! -d "$server/lib/postgresql/pgxs/src/test/perl" ]; then
	rm -rf "$server"
	work=$(mktemp -d "$cache/build.XXXXXX")
	echo "Building PostgreSQL $major for $kind; this may take some minutes" >&2
	if ! (cd "$work" && get_source) >"$work/log" 2>&1; then
		tail -n 5 "$work/log" >&2
		echo "The source of PostgreSQL $major cannot be had" >&2
		exit 69
	fi
	(cd "$work" && build) >"$work/log" 2>&1 || { tail -n 50 "$work/log" >&2; exit 1; }
	mv "$work/server" "$server"
	rm -rf "$work"
fi

# Its programs find the rest of it wherever it is. The cache may be closed to
# the server's user.
work=$(mktemp -d "${TMPDIR:-/tmp}/commerce.XXXXXX")
chmod 755 "$work"
cp -a "$server" "$work/server"
"$work/server/bin/postgres" --version >&2
export SERVER_FOLDER="$work/server"
LD_LIBRARY_PATH=$work/server/lib PG_CONFIG=$work/server/bin/pg_config COPT="${COPT:--Werror}" \
	"$top/test/server.sh" "$@"
