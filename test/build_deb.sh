#!/bin/sh
# Builds the Debian packages, in a clean root of each release:
#
#   build_deb.sh [RELEASE]...
#
# By default DEB_RELEASE names these, or they are Debian 12 (bookworm) and 13
# (trixie). They are left in deb/RELEASE: source and binary packages, of a version
# that ends with the release's, so that each release upgrades those of the one before.
#
# A root is as debootstrap makes it, but for what the package itself says that it
# needs to be built, and the build has no network. Ends with status 3 where none can
# be made.
set -eu

skip_status=3
. "$(dirname "$0")/roots.sh"
begin_roots deb "The building of packages"

# What git has, or in an archive all there is, less what was built.
pack_sources() # FOLDER: for dpkg-source, with debian apart
{
	mkdir -p "$1/$name"
	if [ -e "$sources/.git" ]; then
		git -c safe.directory="$sources" -C "$sources" ls-files -z --cached --others --exclude-standard
	else
		(cd "$sources" && find . -type f ! -path './deb/*' -print0)
	fi | (cd "$sources" &&
		xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\\0" "$file"; done' sh |
		tar -cf - --null -T -) | tar -xf - --no-same-owner -C "$1/$name"
	make -s -C "$1/$name" clean PG_CONFIG=none
	# The same bytes from the same sources.
	tar -cf - -C "$1" --exclude="$name/debian" --sort=name --owner=0 --group=0 --numeric-owner \
		--mtime="$(sed -n 's/^ -- .*>  //p' "$sources/debian/changelog" | sed 1q)" "$name" |
		gzip -n >"$1/commerce_$version.orig.tar.gz"
}

# Its version says for which release it is built.
name_release() # in the root, with the sources as the working folder
{
	in_root sh -c 'cd "$1" && . /etc/os-release &&
		version=$(dpkg-parsechangelog -S Version)+deb$VERSION_ID &&
		date=$(date -u -R -d "$(dpkg-parsechangelog -S Date) + 1 second") &&
		maintainer=$(dpkg-parsechangelog -S Maintainer) && {
			printf "commerce (%s) %s; urgency=medium\n\n  * Built for Debian %s.\n\n -- %s  %s\n\n" \
				"$version" "$VERSION_CODENAME" "$VERSION_ID" "$maintainer" "$date"
			cat debian/changelog
		} >../changelog && mv ../changelog debian/changelog' sh "$1"
}

install='env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends'
build()
{
	echo "Installing what the build needs"
	in_root $install install build-essential >"$log" 2>&1 && name_release "/build/$name" &&
		in_root sh -c "cd /build/$name && $install build-dep ./ && pg_buildext updatecontrol &&
			$install build-dep ./" >"$log" 2>&1 || return
	echo "Building"
	in_root unshare --net sh -c "cd /build/$name && dpkg-buildpackage -us -uc" >"$log" 2>&1
}

version=$(sed -n 's/.*"version": "\(.*\)".*/\1/p' "$sources/META.json" | sed 1q)
name=commerce-$version
mkdir -p "$sources/deb"
for release in ${*:-${DEB_RELEASE:-bookworm trixie}}; do
	printf '==== Debian %s\n' "$release"
	root=$cache/$release
	archives=$cache/archives/$release
	mkdir -p "$archives/partial"
	prepare_root || { tail -n 20 "$log"; exit 3; }

	begin_work
	cp -a "$root" "$work/root"
	root=$work/root
	pack_sources "$root/build"
	if ! build; then
		tail -n 50 "$log"
		exit 1
	fi
	result=$sources/deb/$release
	rm -rf "$result"
	mkdir "$result"
	find "$root/build" -maxdepth 1 -type f -exec cp {} "$result" \;
	chown -R --reference="$sources" "$sources/deb"
	remove_root "$work"
	work=
	ls "$result" | grep '\.deb$' | sed "s,^,deb/$release/,"
done
