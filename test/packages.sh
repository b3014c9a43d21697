#!/bin/sh
# Installs the Debian packages that are missing:
#
#   packages.sh [test | release | bench | assertions | roots | indent | lint | coverage |
#               sanitize | valgrind | sqlsmith | fuzz | cluster]
#
# "release" is what the tests that matrix.sh runs on a release need, all but the
# peers of the relay. "test" takes the clients' drivers too with TEST_CLIENTS=yes.
#
# With all of them there it does nothing and needs no network. It looks for the
# files themselves, so that a PostgreSQL from elsewhere (PG_CONFIG) counts too.
# Where there is none to build for, the release's own is installed.
set -eu

kind=${1:-}
log=$(mktemp)
watcher=
no_cluster_dir=/etc/postgresql-common/createcluster.d
no_cluster=$no_cluster_dir/commerce-no-main-cluster.conf
no_cluster_made=
policy=/usr/sbin/policy-rc.d # what asks before a new service starts
policy_made=
clean_up()
{
	[ -z "$watcher" ] || kill "$watcher" 2>/dev/null || :
	rm -f "$log"
	if [ -n "$no_cluster_made" ]; then
		$as_root rm -f "$no_cluster"
		$as_root rmdir "$no_cluster_dir" 2>/dev/null || :
	fi
	[ -z "$policy_made" ] || $as_root rm -f "$policy"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# What apt does takes minutes where the network is slow: every ten seconds one
# line says how far it is. The output itself is shown only when it fails.
watch()
{
	seconds=0
	while sleep 10 >/dev/null 2>&1; do
		seconds=$((seconds + 10))
		doing=$(tail -n 1 "$log" | sed 's/.*\r//; s/ *[([].*//; s/^Get:[0-9]* [^ ]*/Fetching/' |
			cut -c 1-60)
		[ -z "$doing" ] || echo "  $seconds s: $doing"
	done
}
quietly() # COMMAND...
{
	watch &
	watcher=$!
	"$@" >"$log" 2>&1 </dev/null || { cat "$log" >&2; exit 1; }
	kill "$watcher" 2>/dev/null || :
	watcher=
}

if ! command -v apt-get >/dev/null; then
	as_root=
elif [ "$(id -u)" = 0 ]; then
	as_root="env"
elif sudo -n true 2>/dev/null; then
	as_root="sudo -n env"
else
	as_root=
fi

updated=
update()
{
	[ -n "$updated" ] || quietly $as_root apt-get update -q
	updated=1
}

# The major version of what the release calls its PostgreSQL; a new machine has
# no list of packages yet.
release_major()
{
	apt-cache depends postgresql 2>/dev/null |
		sed -n 's/^ *Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1
}

missing=
need() # PACKAGE COMMAND...: the package is missing unless the command succeeds
{
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
has_header() { echo "#include <$1>" | gcc -E -; }
has_program() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }

need_to_build()
{
	pg_config=${PG_CONFIG:-pg_config}
	pgxs=$("$pg_config" --pgxs 2>/dev/null) || pgxs=
	if [ -f "$pgxs" ]; then
		major=$("$pg_config" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
		bindir=$("$pg_config" --bindir)
		includedir=$("$pg_config" --includedir)
		sharedir=$("$pg_config" --sharedir)
		headers=$("$pg_config" --includedir-server)
	else
		major=$(release_major)
		if [ -z "$major" ] && [ -n "$as_root" ]; then
			echo "Asking for the release's version of PostgreSQL"
			update
			major=$(release_major)
		fi
		major=${major:-VERSION}
		bindir=/usr/lib/postgresql/$major/bin
		includedir=/usr/include/postgresql
		sharedir=/usr/share/postgresql/$major
		headers=
	fi
	need make command -v make
	need gcc command -v gcc
	need libc6-dev test -f /usr/include/stdio.h
	# Debian's client package has PGXS too, without the server's headers.
	need "postgresql-server-dev-$major" test -f "$headers/postgres.h"
	need "postgresql-$major" test -x "$bindir/postgres"
	need libpq-dev test -f "$includedir/libpq-fe.h"
	need libcurl4-openssl-dev has_header curl/curl.h
	need libssl-dev has_header openssl/evp.h
	need libmicrohttpd-dev has_header microhttpd.h
	need perl command -v prove
}

# A router, and what buys at it.
need_cluster()
{
	need "postgresql-$major-plproxy" test -f "$sharedir/extension/plproxy.control"
	need python3-psycopg /usr/bin/python3 -c "import psycopg"
}

need_to_test()
{
	need libipc-run-perl perl -MIPC::Run -e 1
	need "postgresql-$major-pgtap" test -f "$sharedir/extension/pgtap.control"
	need libio-socket-ssl-perl perl -MIO::Socket::SSL -e 1
	need openssl command -v openssl
	need git command -v git
	need_cluster
	need pgbouncer has_program pgbouncer
	! apt-cache show pg-bsd-indent >/dev/null 2>&1 || need_to_indent
}

# What reads events, as webhooks or behind --to stdout, metrics, and the report; what
# repacks and audits.
need_peers()
{
	need "postgresql-$major-repack" test -x "$bindir/pg_repack"
	need "postgresql-$major-pgaudit" test -f "$sharedir/extension/pgaudit.control"
	need nodejs command -v node
	need npm command -v npm
	need jq command -v jq
	need redis-server has_program redis-server
	need nats-server has_program nats-server
	need prometheus has_program prometheus
	need prometheus-postgres-exporter has_program prometheus-postgres-exporter
	need chromium has_program chromium
	need kcat command -v kcat
	need python3-jsonschema /usr/bin/python3 -c "import jsonschema"
	need python3-yaml /usr/bin/python3 -c "import yaml"
}

# The drivers that doc/clients.md speaks of; npm has the others.
need_clients()
{
	need golang-go command -v go
	need golang-github-lib-pq-dev test -d /usr/share/gocode/src/github.com/lib/pq
	need default-jdk-headless command -v javac
	need libpostgresql-jdbc-java test -f /usr/share/java/postgresql.jar
	need libdbd-pg-perl perl -MDBD::Pg -e 1
	need php-cli command -v php
	need php-pgsql php -r 'exit(extension_loaded("pdo_pgsql") ? 0 : 1);'
	need ruby command -v ruby
	need ruby-pg ruby -e 'require "pg"'
	# trixie.sh asks the same mirror as apt, and a new machine's apt knows of none.
	[ -n "$("$(dirname "$0")/mirror.sh")" ] || [ -z "$as_root" ] ||
		$as_root apt-get update -q >/dev/null 2>&1 || :
}

need_to_build_server()
{
	need bzip2 command -v bzip2
	need bison command -v bison
	need flex command -v flex
}

need_to_fuzz()
{
	need clang command -v clang
	need libclang-rt-dev sh -c 'test -f "$(clang -print-file-name=libclang_rt.fuzzer-x86_64.a)"'
}

# Debian 12 has it, 13 has not.
need_to_indent() { need pg-bsd-indent command -v pg_bsd_indent; }

case $kind in
	roots)
		need debootstrap has_program debootstrap
		need debian-archive-keyring test -f /usr/share/keyrings/debian-archive-keyring.gpg
		need gpgv command -v gpgv
		need mount command -v mount
		;;
	indent) need_to_indent ;;
	*) need_to_build ;;
esac
case $kind in
	cluster) need_cluster ;;
	release) need_to_test ;;
	test | coverage)
		need_to_test
		need_peers
		[ "${TEST_CLIENTS:-}" != yes ] || need_clients
		[ "$kind" = test ] || need lcov command -v lcov
		;;
	lint)
		need cppcheck command -v cppcheck
		need clang-tidy command -v clang-tidy
		;;
	bench)
		need_cluster
		need nginx-light has_program nginx
		need redis-server has_program redis-server
		need gnuplot-nox command -v gnuplot
		need valgrind command -v valgrind
		need "postgresql-$major-pg-wait-sampling" test -f "$sharedir/extension/pg_wait_sampling.control"
		;;
	assertions | fuzz)
		need_to_test
		need_to_build_server
		need_to_fuzz
		;;
	sqlsmith)
		need_to_test
		need_to_build_server
		need sqlsmith command -v sqlsmith
		;;
	sanitize | valgrind)
		need_to_test
		need_to_build_server
		need valgrind command -v valgrind
		;;
esac
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "Please install what these Debian packages hold:$missing" >&2
	exit 1
elif [ -z "$as_root" ]; then
	echo "Please install, as root:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

install_packages()
{
	# What is installed stays as it is: an upgrade would restart its servers.
	quietly $as_root DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get install -q -y --no-install-recommends --no-upgrade "$@"
}

# The program alone: its service neither starts now nor with the machine.
install_without_service() # PACKAGE SERVICE
{
	if [ ! -e "$policy" ]; then
		policy_made=1
		printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
		$as_root chmod 755 "$policy"
	fi
	install_packages "$1"
	if [ -e "/etc/init.d/$2" ]; then
		quietly $as_root update-rc.d "$2" disable
	elif command -v systemctl >/dev/null; then
		quietly $as_root systemctl disable "$2"
	fi
}

echo "Installing these packages and what they need; this may take some minutes:"
echo " $missing"
update
case " $missing " in *" postgresql-${major:-} "*)
	# A new server package creates and starts a database "main", which nobody
	# asked for here. Its switch is a file of postgresql-common.
	install_packages postgresql-common
	$as_root mkdir -p "$no_cluster_dir"
	no_cluster_made=1
	echo "create_main_cluster = false" | $as_root tee "$no_cluster" >/dev/null
esac
case " $missing " in *" pgbouncer "*) install_without_service pgbouncer pgbouncer ;; esac
case " $missing " in *" nginx-light "*) install_without_service nginx-light nginx ;; esac
case " $missing " in *" redis-server "*) install_without_service redis-server redis-server ;; esac
case " $missing " in *" nats-server "*) install_without_service nats-server nats-server ;; esac
case " $missing " in *" prometheus "*) install_without_service prometheus prometheus ;; esac
case " $missing " in *" prometheus-postgres-exporter "*)
	install_without_service prometheus-postgres-exporter prometheus-postgres-exporter
esac
install_packages $missing
echo "Installed them"
