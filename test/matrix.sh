#!/bin/sh
# Builds and tests on other releases of Debian, with the PostgreSQL that is theirs:
#
#   matrix.sh [RELEASE]...
#
# By default these are Debian 13 (trixie, PostgreSQL 17) and unstable (sid, 18).
# KINDS names the tests and kinds of tests, as test/run.sh calls them. Prints a block for
# each release, and at the end "N passed, N failed".
#
# A release is a root folder, made by debootstrap from the mirror that this
# machine's apt uses. It stays in COMMERCE_CACHE (~/.cache/commerce) and is
# brought up to date by each run. That takes root and the network: a machine
# without them skips what it cannot do, and says so.
#
# Nothing is ever mounted here. Whatever runs in a root has mounts and processes
# of its own, in namespaces that the kernel takes down with their first process.
set -eu

kinds=${KINDS:-regression isolation pgtap 050_notify_queue}
cache=${COMMERCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce}/matrix
sources=$(cd "$(dirname "$0")/.." && pwd)
child=
log=
clean_up()
{
	[ -z "$child" ] || kill -s KILL "$child" 2>/dev/null || :
	[ -z "$log" ] || rm -f "$log" "$log.fifo"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

skip_all() # REASON
{
	echo "The matrix of releases is skipped: $1"
	exit 0
}

# A signal must find us waiting, not the shell in a command.
alone() # COMMAND...: in namespaces of its own
{
	unshare --mount --propagation private --pid --fork --kill-child "$@" </dev/null &
	child=$!
	status=0
	wait "$child" || status=$?
	child=
	return $status
}

# Runs a command in the root, where it finds the sources in /mnt. Of our
# environment it gets the proxies. The shell stays, to collect what ends there.
in_root() # COMMAND...
{
	alone sh -c '
		root=$1 sources=$2
		shift 2
		mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" &&
			mount --bind "$sources" "$root/mnt" && mount -o remount,bind,ro "$root/mnt" &&
			chroot "$root" env -u PG_CONFIG -u TMPDIR -u MAKEFLAGS -u MAKELEVEL HOME=/root \
				PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
				LC_ALL=C.UTF-8 "$@"
		exit $?' sh "$root" "$sources" "$@"
}

remove_root() # FOLDER
{
	if grep -F -q " $1/" /proc/self/mounts; then
		echo "something is mounted in $1" >&2
		return 1
	fi
	rm -rf --one-file-system "$1"
}

make_root()
{
	echo "Making a root of $release; this may take some minutes"
	remove_root "$root" && remove_root "$root.new" &&
		alone debootstrap --variant=minbase --include=ca-certificates \
			"$release" "$root.new" "$mirror" >"$log" 2>&1 &&
		mv "$root.new" "$root"
}

# The root asks the same mirror in the same way, starts no service, and is
# spared what nobody reads there.
set_up_root()
{
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	rm -f "$root"/etc/apt/sources.list.d/*
	echo "deb $mirror $release main" >"$root/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90machine" || :
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	cat >"$root/etc/dpkg/dpkg.cfg.d/matrix" <<-CONF
		force-unsafe-io
		path-exclude=/usr/share/doc/*
		path-exclude=/usr/share/man/*
		path-exclude=/usr/share/locale/*
		path-exclude=/usr/lib/llvm-*/bin/*
		path-exclude=/usr/lib/llvm-*/include/*
		path-exclude=/usr/lib/llvm-*/lib/*.a
	CONF
	# What an interrupted run left.
	find "$root/tmp" -xdev -mindepth 1 -delete
}

upgrade='apt-get dist-upgrade -q -y --no-install-recommends && apt-get clean'
prepare()
{
	[ -d "$root" ] || make_root || return
	set_up_root
	if ! in_root apt-get update -q >"$log" 2>&1; then
		echo "$release cannot be brought up to date; it is tested as it is"
	elif ! in_root env DEBIAN_FRONTEND=noninteractive sh -c "$upgrade" >"$log" 2>&1; then
		make_root || return
		set_up_root
		in_root apt-get update -q >"$log" 2>&1 || return
	fi
	in_root /mnt/test/packages.sh release >"$log" 2>&1
}

if [ "$(id -u)" != 0 ]; then
	skip_all "it takes root"
elif ! unshare --mount --pid --fork true 2>/dev/null; then
	skip_all "no namespaces can be made here"
elif ! "$sources/test/packages.sh" matrix; then
	skip_all "debootstrap is not there and cannot be installed"
fi
mirror=$("$sources/test/mirror.sh")
if [ -z "$mirror" ]; then
	apt-get update -q >/dev/null 2>&1 || :
	mirror=$("$sources/test/mirror.sh")
fi
[ -n "$mirror" ] || skip_all "apt knows no mirror of Debian here"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
log=$(mktemp)
passed=0
failed=0
for release in ${*:-trixie sid}; do
	root=$cache/$release
	printf '\n==== Debian %s\n' "$release"
	if ! prepare; then
		tail -n 20 "$log"
		echo "$release is skipped: its root cannot be made"
		continue
	fi
	mkfifo "$log.fifo"
	tee "$log" <"$log.fifo" &
	in_root sh -c 'pg_config --version; cd /mnt &&
		COPT=-Werror exec test/server.sh -c fsync=off test/run.sh "$@"' sh $kinds \
		>"$log.fifo" 2>&1 || :
	wait
	rm "$log.fifo"
	set -- $(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$log" | tail -n 1)
	[ $# = 2 ] || set -- 0 1 # broke off, as when it does not build
	passed=$((passed + $1))
	failed=$((failed + $2))
done

printf '\n%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
