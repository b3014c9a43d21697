# Root folders of Debian's releases, to build and test in: sourced, after "set -eu", by
# matrix.sh, build_deb.sh, deb.sh and container.sh.
#
# A root is made by debootstrap from the mirror that this machine's apt uses. It
# stays in a folder of COMMERCE_CACHE (~/.cache/commerce) and is brought up to date
# by each run. That takes root and the network: a machine without them skips what
# it cannot do, and says so.
#
# Nothing is ever mounted here. Whatever runs in a root has mounts and processes
# of its own, in namespaces that the kernel takes down with their first process.

sources=$(cd "$(dirname "$0")/.." && pwd)
child=
log=
cgroup=
work= # a folder of copies of roots
clean_up()
{
	[ -z "$child" ] || kill -s KILL "$child" 2>/dev/null || :
	[ -z "$log" ] || rm -f "$log" "$log.fifo"
	remove_cgroup
	[ -z "$work" ] || remove_root "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A signal must find us waiting, not the shell in a command. With $limit the command
# has so many seconds.
alone() # COMMAND...: in namespaces of its own
{
	unshare --mount --propagation private --pid --fork --kill-child "$@" </dev/null &
	child=$!
	[ -z "${limit:-}" ] ||
		{ timeout "$limit" tail --pid="$child" -f /dev/null || kill -s KILL "$child"; } &
	status=0
	wait "$child" || status=$?
	child=
	return $status
}

# Runs a command in the root, where it finds the sources in /mnt. Of our
# environment it gets the proxies. The shell stays, to collect what ends there.
# Packages that were fetched are in $archives, if that is set.
in_root() # COMMAND...
{
	alone sh -c '
		root=$1 sources=$2 archives=$3
		shift 3
		mount -t proc proc "$root/proc" && mount -t tmpfs tmpfs "$root/dev/shm" &&
			mount --bind "$sources" "$root/mnt" && mount -o remount,bind,ro "$root/mnt" &&
			{ [ -z "$archives" ] || mount --bind "$archives" "$root/var/cache/apt/archives"; } &&
			chroot "$root" env -u PG_CONFIG -u TMPDIR -u MAKEFLAGS -u MAKELEVEL HOME=/root \
				PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
				LC_ALL=C.UTF-8 "$@"
		exit $?' sh "$root" "$sources" "${archives:-}" "$@"
}

# It is the root of all, so that systemd can mount what its services see. The kernel's
# settings are this machine's: they cannot be written.
boot='mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc &&
	mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys &&
	mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
	mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs dev/shm &&
	{ [ -z "$2" ] || mount --bind "$2" var/cache/apt/archives; } &&
	pivot_root . mnt && umount -l /mnt && mount --make-rshared / &&
	exec env -i container=commerce PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/lib/systemd/systemd --system --show-status=0 --unit=multi-user.target'

# Boots the root with systemd, without a network, to run one command in it. Fails as
# the command does, or if systemd does not come that far.
boot_root() # COMMAND
{
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
	ln -sf ../commerce-test.service "$root/etc/systemd/system/multi-user.target.wants/"
	cat >"$root/etc/systemd/system/commerce-test.service" <<-UNIT
		[Unit]
		SuccessAction=exit-force
		FailureAction=exit-force
		FailureActionExitStatus=1
		[Service]
		Type=oneshot
		Environment=LC_ALL=C.UTF-8
		ExecStart=$1
	UNIT
	# A cgroup of its own to be the root of those that systemd makes.
	cgroups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
	[ -n "$cgroups" ] || return
	cgroup=$cgroups$(sed -n 's/^0:://p' /proc/self/cgroup)/commerce-test.$$
	mkdir -p "$cgroup" 2>/dev/null || return
	boot_status=0
	limit=300
	alone sh -c 'echo 0 >"$1/cgroup.procs" &&
		shift && exec unshare --cgroup --uts --ipc --net sh -c "$@"' sh "$cgroup" "$boot" sh \
		"$root" "${archives:-}" >"$log" 2>&1 || boot_status=$?
	limit=
	remove_cgroup
	return $boot_status
}

remove_cgroup()
{
	[ -z "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || :
	cgroup=
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

# The root asks the same mirror in the same way, and starts no service.
set_up_root()
{
	cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
	rm -f "$root"/etc/apt/sources.list.d/*
	printf "deb $mirror %s main\n" $release $older >"$root/etc/apt/sources.list"
	apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90machine" || :
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/commerce"
	if [ -n "$spared" ]; then
		(set -f; printf 'path-exclude=%s\n' $spared) >>"$root/etc/dpkg/dpkg.cfg.d/commerce"
	fi
	# What an interrupted run left.
	find "$root/tmp" -xdev -mindepth 1 -delete
}

# What is not unpacked there, as nobody reads it.
spared=

# Releases that a root takes packages from too, if its own has them not.
older=

# Whatever was fetched is kept only where it is asked for.
upgrade='apt-get dist-upgrade -q -y --no-install-recommends &&
	if [ "$0" ]; then apt-get autoclean; else apt-get clean; fi'
prepare_root() # makes $root of $release, or brings it up to date
{
	[ -d "$root" ] || make_root || return
	set_up_root
	if ! in_root apt-get update -q >"$log" 2>&1; then
		echo "$release cannot be brought up to date; its root is taken as it is"
	elif ! in_root env DEBIAN_FRONTEND=noninteractive sh -c "$upgrade" "${archives:-}" >"$log" 2>&1; then
		make_root || return
		set_up_root
		in_root apt-get update -q >"$log" 2>&1 || return
	fi
}

# From here on it is sure that roots can be made, by one of us at a time.
begin_roots() # FOLDER WHAT: in that folder of the cache; WHAT is skipped otherwise
{
	cache=${COMMERCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce}/$1
	if [ "$(id -u)" != 0 ]; then
		skip_all "$2" "it takes root"
	elif ! unshare --mount --pid --fork true 2>/dev/null; then
		skip_all "$2" "no namespaces can be made here"
	elif ! "$sources/test/packages.sh" roots; then
		skip_all "$2" "debootstrap is not there and cannot be installed"
	fi
	mirror=$("$sources/test/mirror.sh")
	if [ -z "$mirror" ]; then
		apt-get update -q >/dev/null 2>&1 || :
		mirror=$("$sources/test/mirror.sh")
	fi
	[ -n "$mirror" ] || skip_all "$2" "apt knows no mirror of Debian here"

	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9
	log=$(mktemp)
}

begin_work() # makes $work anew, for copies of roots
{
	# What a run left that was killed.
	for work in "$cache"/work.*; do
		[ ! -e "$work" ] || remove_root "$work"
	done
	work=$(mktemp -d "$cache/work.XXXXXX")
}

skip_all() # WHAT REASON
{
	echo "$1 is skipped: $2"
	exit ${skip_status:-0}
}
