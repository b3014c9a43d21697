#!/bin/sh
# Takes a shop through major upgrades of PostgreSQL, from 15 to 17 and on to 18:
#
#   major_upgrade.sh
#
# The three servers are Debian's, side by side in one root of unstable: 15 is that of
# Debian 12, 17 that of 13. test/upgrade says what is done with them. Prints TAP, and
# at the end "N passed, N failed". A machine on which there can be no such root skips
# all of that.
set -eu

versions="15 17 18"
. "$(dirname "$0")/roots.sh"
# JIT would take more room than the servers, and is off without these.
spared='/usr/share/doc/* /usr/share/man/* /usr/share/locale/* *libLLVM* *llvmjit*'
release=sid
older="bookworm trixie"
begin_roots upgrade "The test of major upgrades"
root=$cache/$release

# Of what is for building, the headers and PGXS alone: the packages would bring clang.
install='
	mkdir -p /etc/postgresql-common/createcluster.d /var/lib/headers
	echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/none.conf
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
		gcc make libc6-dev libipc-run-perl $(printf "postgresql-%s " "$@") && apt-get clean || exit
	cd /tmp
	for version; do
		release=$(dpkg-query -W -f "\${Version}" "postgresql-$version")
		[ "$release" != "$(cat "/var/lib/headers/$version" 2>/dev/null)" ] || continue
		apt-get download -q "postgresql-server-dev-$version=$release" &&
			dpkg -x postgresql-server-dev-"$version"_*.deb / &&
			echo "$release" >"/var/lib/headers/$version" || exit
	done'

# Each server gets the library; its folder is the test's to change. gcc takes the
# headers of 15 as they are only in an older C.
build='
	mkdir /tmp/commerce && cd /tmp/commerce && tar -C /mnt -cf - --exclude=./.git --exclude="*.o" \
		--exclude="*.so" --exclude="*.d" . | tar -xf - || exit
	for version; do
		pg_config=/usr/lib/postgresql/$version/bin/pg_config
		make -s clean RELAY=no PG_CONFIG="$pg_config" &&
			make -s -j"$(nproc)" install RELAY=no COPT="-Werror -std=gnu17 -O0" PG_CONFIG="$pg_config" &&
			chown postgres: "$("$pg_config" --pkglibdir)" || exit
	done
	chown -R postgres: /tmp/commerce'

# The servers are in memory, where the document has them, and end with the namespace.
# What perl notes is not shown; each prints a plan when it is through.
test='
	mount -t tmpfs -o mode=755 tmpfs /var/lib/postgresql && chown postgres: /var/lib/postgresql &&
		cd /tmp/commerce && case $1 in
		*.sh) exec sh "$1" ;;
		*.pl) exec setpriv --reuid=postgres --regid=postgres --clear-groups env HOME=/tmp PATH="$PATH" \
			perl -I /usr/lib/postgresql/18/lib/pgxs/src/test/perl "$1" | sed -u "/^#/d" ;;
	esac'

passed=0
failed=0
run_test() # NAME: of a file in test/upgrade
{
	printf '\n== %s\n' "$1"
	mkfifo "$log.fifo"
	tee "$log" <"$log.fifo" &
	in_root sh -c "$test" sh "test/upgrade/$1" >"$log.fifo" || :
	wait
	rm "$log.fifo"
	passed=$((passed + $(grep -c '^ok' "$log" || :)))
	set -- $(grep -c '^not ok' "$log" || :)
	[ "$1" != 0 ] || grep -q '^1\.\.' "$log" || set -- 1 # broke off
	failed=$((failed + $1))
}

if ! prepare_root || ! in_root sh -c "$install" sh $versions >"$log" 2>&1; then
	tail -n 20 "$log"
	skip_all "The test of major upgrades" "the root cannot be made"
fi
echo "Building commerce for PostgreSQL $versions"
if in_root sh -c "$build" sh $versions >"$log" 2>&1; then
	run_test major.pl
	run_test cluster.sh
else
	cat "$log"
	failed=1
fi
find "$root/tmp" "$root/var/cache/apt" -xdev -type f -delete

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
