#!/bin/sh
# Runs a command with a PostgreSQL server of its own that has commerce installed:
#
#   server.sh [-c setting=value]... COMMAND [ARGUMENT]...
#
# Everything lives in one temporary folder, removed at the end: a copy of the
# sources, built there; PostgreSQL's programs; the database. PostgreSQL finds its
# libraries and extensions relative to its programs, so that copying these and
# linking the rest gives a tree to install into without touching the system's.
# The server listens on a socket in that folder only.
#
# The command runs in the copy of the sources, as the server's user: an
# unprivileged one if we are root, as PostgreSQL demands. It finds the server
# through PGHOST, PGPORT, PGUSER and PGDATABASE, its programs through PATH and
# PG_CONFIG, and may write to SCRATCH. With KEEP=1 the server stays. POSTGRES_UNDER is
# a command that runs postgres, all servers but those that initdb needs: valgrind, say.
set -eu

settings=
while [ "${1:-}" = -c ]; do
	settings="$settings -c $2"
	shift 2
done

sources=$(cd "$(dirname "$0")/.." && pwd)
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
pkglibdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)
mandir=$("$pg_config" --mandir)
includedir=$("$pg_config" --includedir)

as_user= # a command that runs another one, or nothing
if [ "$(id -u)" = 0 ]; then
	user=postgres
	id "$user" >/dev/null 2>&1 || user=nobody
	as_user="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi

# A socket's path must be shorter than 108 bytes, goes into options unquoted, and
# is the server user's.
base=${TMPDIR:-/tmp}
case $base in *[!a-zA-Z0-9/._-]* | [!/]*) base=/tmp ;; esac
if [ ${#base} -gt 60 ] || ! $as_user test -w "$base"; then
	base=/tmp
fi
top=$(mktemp -d "$base/commerce.XXXXXX")
root=$top/root

child=
stop_servers()
{
	# The command's own servers too, should it have been killed.
	find "$top" -name postmaster.pid 2>/dev/null | while read -r pid_file; do
		$as_user "$root$bindir/pg_ctl" -D "$(dirname "$pid_file")" \
			-m immediate stop >/dev/null 2>&1 || :
	done
}
clean_up()
{
	status=$?
	trap '' INT TERM HUP
	if [ -n "$child" ] && kill -s TERM -- "-$child" 2>/dev/null; then
		tries=0
		while kill -s 0 -- "-$child" 2>/dev/null && [ $tries -lt 100 ]; do
			sleep 0.1
			tries=$((tries + 1))
		done
		kill -s KILL -- "-$child" 2>/dev/null || :
	fi
	if [ -z "${keep:-}" ]; then
		stop_servers
		rm -rf "$top"
	fi
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

quietly() # COMMAND...: shows the output only when it fails
{
	"$@" >"$top/log" 2>&1 </dev/null || { cat "$top/log" >&2; exit 1; }
}

# The programs, and links to all they look for.
mkdir -p "$root$bindir" "$root$pkglibdir" "$root$sharedir/extension" \
	"$root$(dirname "$includedir")" "$top/socket" "$top/scratch"
cp -P "$bindir"/* "$root$bindir"
ln -s "$pkglibdir"/* "$root$pkglibdir"
for file in "$sharedir"/*; do
	[ "$file" = "$sharedir/extension" ] || [ "$file" = "$mandir" ] ||
		ln -s "$file" "$root$sharedir"
done
ln -s "$sharedir"/extension/* "$root$sharedir/extension"
ln -s "$includedir" "$root$includedir"
# Not the system's commerce, nor any bitcode of it.
rm -f "$root$pkglibdir/bitcode" "$root$pkglibdir"/commerce* \
	"$root$sharedir"/extension/commerce*

if [ -n "${POSTGRES_UNDER:-}" ]; then
	mv "$root$bindir/postgres" "$root$bindir/postgres.program"
	cat >"$root$bindir/postgres" <<-POSTGRES
		#!/bin/sh
		case \${1:-} in
			--boot | --single | -V) exec "$root$bindir/postgres.program" "\$@" ;;
			*) exec $POSTGRES_UNDER "$root$bindir/postgres.program" "\$@" ;;
		esac
	POSTGRES
	chmod 755 "$root$bindir/postgres"
fi

# The sources, without what was built from them.
mkdir "$top/commerce"
(cd "$sources" && tar -cf - --exclude=./.git --exclude='*.o' --exclude='*.so' \
	--exclude='*.d' --exclude=./results --exclude=./deb .) | tar -xf - -C "$top/commerce"
cd "$top/commerce"
unset MAKEFLAGS MFLAGS MAKELEVEL
quietly make -j"$(nproc)" PG_CONFIG="$pg_config"
quietly make install PG_CONFIG="$pg_config" DESTDIR="$root"

# No PGHOST, PGSERVICE and so on of the caller may lead us to another server, and
# no locale change what we print.
unset $(env | sed -n 's/^\(PG[A-Z]*\|LC_[A-Z]*\|LANGUAGE\)=.*/\1/p')
export LANG=C.UTF-8
export PATH="$root$bindir:$PATH" PG_CONFIG="$root$bindir/pg_config"
export PGHOST="$top/socket" PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
export PGDATA="$top/data"
export HOME="$top/scratch" SCRATCH="$top/scratch" TMPDIR="$top/scratch"
export PSQL_PAGER=

[ -z "$as_user" ] || chown -hR "$user:" "$top"
quietly $as_user initdb -D "$PGDATA" -U postgres -A trust --no-locale -E UTF8 \
	--no-sync --no-instructions
quietly $as_user pg_ctl -D "$PGDATA" -l "$PGDATA/log" -w start -o \
	"-c listen_addresses= -c unix_socket_directories=$top/socket$settings"

# In a process group of its own, to be stopped as a whole.
setsid $as_user "$@" <&0 &
child=$!
status=0
wait $child || status=$?
child=

if [ "${KEEP:-}" = 1 ]; then
	keep=1
	cat >"$top/stop" <<-STOP
		#!/bin/sh
		cd / && $as_user "$root$bindir/pg_ctl" -D "$top/data" -m fast stop && rm -rf "$top"
	STOP
	echo
	echo "The server is still running. To look around:"
	echo "  psql -h $PGHOST -U postgres"
	echo "To stop it and remove everything:"
	echo "  sh $top/stop"
fi
exit $status
