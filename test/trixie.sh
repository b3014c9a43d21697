#!/bin/sh
# Unpacks packages of Debian 13 (trixie) into a folder, without what they depend on:
#
#   trixie.sh FOLDER PACKAGE...
#
# That takes no root, and nothing of the machine's own apt changes but that its mirror
# is asked. Where that cannot be, it says why and fails.
set -eu

folder=$1
shift
mirror=$("$(dirname "$0")/mirror.sh")
[ -n "$mirror" ] || { echo "apt knows no mirror of Debian here"; exit 1; }

apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$folder"
: >"$apt/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" \
	>"$apt/sources.list"
apt_get() # COMMAND...
{
	apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State="$apt" -o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" \
		-o Dir::Cache="$apt/cache" -o Acquire::Languages=none "$@" >"$apt/log" 2>&1 </dev/null ||
		{ cat "$apt/log"; exit 1; }
}
apt_get update
cd "$apt/cache"
apt_get download "$@"
for package in ./*.deb; do
	dpkg-deb -x "$package" "$folder"
done
