#!/bin/sh
# Builds the Debian packages, and tests them as those who install them do:
#
#   deb.sh [RELEASE]...
#
# By default DEB_RELEASE names these, or they are Debian 12 (bookworm) and 13
# (trixie). With BUILT=1 the packages are those that "make deb" left. On each release
# lintian looks at them, and test/deb_installed.sh, in a root that systemd has
# booted, installs, upgrades and purges them. Prints TAP, and at the end "N passed, N
# failed". A machine on which no roots can be made skips all of that.
set -eu

releases=${*:-${DEB_RELEASE:-bookworm trixie}}
if [ "${BUILT:-}" != 1 ]; then
	built=0
	"$(dirname "$0")/build_deb.sh" $releases || built=$?
	if [ $built = 3 ]; then
		exit 0
	elif [ $built != 0 ]; then
		printf '\n0 passed, 1 failed\n'
		exit 1
	fi
fi
. "$(dirname "$0")/roots.sh"
begin_roots deb "The test of packages"

install='env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends'

# The same packages once more, as another revision.
make_newer() # FOLDER
{
	for file in "$1"/packages/*.deb; do
		dpkg-deb -R "$file" "$1/unpacked"
		sed -i '/^Version:/s/$/.1/' "$1/unpacked/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$1/unpacked" "$1/newer/" >/dev/null
		rm -r "$1/unpacked"
	done
}

fill_root() # FOLDER: what deb_installed.sh finds there
{
	mkdir -p "$1/packages" "$1/newer"
	for file in "$sources/deb/$release"/*.deb; do
		case $file in *-dbgsym_*) ;; *) cp "$file" "$1/packages" ;; esac
	done
	make_newer "$1"
	cp "$sources/test/deb_installed.sh" "$sources/test/tap.sh" "$sources/test/receiver.pl" \
		"$sources/debian/tests/order" "$1"
}

# What the packages depend on is fetched before, as there will be no network.
installed()
{
	cp -a "$cache/$release" "$work/root"
	root=$work/root
	fill_root "$root/test"
	if ! in_root sh -c "$install install systemd-sysv dbus libnss-systemd &&
		$install install --download-only /test/packages/*.deb" >"$log" 2>&1; then
		tail -n 20 "$log"
		echo "not ok - the root is ready"
		return
	fi
	rm "$root/usr/sbin/policy-rc.d"
	boot_root /test/deb_installed.sh || :
	if [ ! -s "$root/test/log" ]; then
		echo "ok - the packages are installed # SKIP systemd does not run here"
		return
	fi
	cat "$root/test/log"
	[ -e "$root/test/done" ] || echo "not ok - all was tested"
}

no_complaint()
{
	cp -a "$cache/$release" "$work/lint"
	root=$work/lint
	mkdir "$root/test"
	cp "$sources/deb/$release"/* "$root/test"
	complaints=$work/complaints
	if ! in_root $install install lintian >"$log" 2>&1; then
		tail -n 20 "$log"
		echo "not ok - lintian is there"
	elif in_root sh -c 'lintian --allow-root --info --fail-on error,warning /test/*.changes' \
		>"$complaints" 2>&1; then
		echo "ok - lintian has nothing to say"
	else
		sed 's/^/# /' "$complaints"
		echo "not ok - lintian has nothing to say"
	fi
}

passed=0
failed=0
for release in $releases; do
	printf '\n==== Debian %s\n' "$release"
	root=$cache/$release
	archives=$cache/archives/$release
	begin_work
	{
		no_complaint
		installed
	} >"$work/results" 2>&1
	cat "$work/results"
	passed=$((passed + $(grep -c '^ok' "$work/results" || :)))
	failed=$((failed + $(grep -c '^not ok' "$work/results" || :)))
	remove_root "$work"
	work=
done

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
