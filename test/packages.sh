#!/bin/sh
# Installs the Debian packages that are missing: packages.sh [test]
#
# With all of them there it does nothing and needs no network. It looks for the
# files themselves, so that a PostgreSQL from elsewhere (PG_CONFIG) counts too.
set -eu

pg_config=${PG_CONFIG:-pg_config}
pgxs=$("$pg_config" --pgxs 2>/dev/null) || pgxs=
if [ -f "$pgxs" ]; then
	major=$("$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	bindir=$("$pg_config" --bindir)
	sharedir=$("$pg_config" --sharedir)
else
	major=15
	bindir=/usr/lib/postgresql/15/bin
	sharedir=/usr/share/postgresql/15
fi

missing=
need() # PACKAGE COMMAND...: the package is missing unless the command succeeds
{
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

need make command -v make
need gcc command -v gcc
need libc6-dev test -f /usr/include/stdio.h
need "postgresql-server-dev-$major" test -f "$pgxs"
need "postgresql-$major" test -x "$bindir/postgres"
if [ "${1:-}" = test ]; then
	need perl command -v prove
	need libipc-run-perl perl -MIPC::Run -e 1
	need "postgresql-$major-pgtap" test -f "$sharedir/extension/pgtap.control"
fi
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "Please install what these Debian packages hold:$missing" >&2
	exit 1
elif [ "$(id -u)" = 0 ]; then
	as_root="env"
elif sudo -n true 2>/dev/null; then
	as_root="sudo -n env"
else
	echo "Please install, as root:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

install_packages()
{
	# What is installed stays as it is: an upgrade would restart its servers.
	$as_root DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get install -qq -y --no-install-recommends --no-upgrade "$@" \
		>"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
}

log=$(mktemp)
no_cluster_dir=/etc/postgresql-common/createcluster.d
no_cluster=$no_cluster_dir/commerce-no-main-cluster.conf
clean_up()
{
	rm -f "$log"
	if [ -e "$no_cluster" ]; then
		$as_root rm -f "$no_cluster"
		$as_root rmdir "$no_cluster_dir" 2>/dev/null || :
	fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo "Installing$missing"
$as_root apt-get update -qq >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
case " $missing " in *" postgresql-$major "*)
	# A new server package creates and starts a database "main", which nobody
	# asked for here. Its switch is a file of postgresql-common.
	install_packages postgresql-common
	$as_root mkdir -p "$no_cluster_dir"
	echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
esac
install_packages $missing
