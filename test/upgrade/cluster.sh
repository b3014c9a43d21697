#!/bin/sh
# A shop in a cluster of Debian's, upgraded as doc/operation.md says, keeps all of it;
# without the option that is said there, it does not. Reports as TAP.
#
# test/major_upgrade.sh runs it, as root in a root with the three servers.
set -u
sources=$(cd "$(dirname "$0")/../.." && pwd)
cd /tmp || exit 1

. "$sources/test/tap.sh"

upgrade=$(grep '^pg_upgradecluster -m upgrade -v 17 15 main$' "$sources/doc/operation.md")
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
shop() { as_postgres psql -X -q -A -t -d shop -v ON_ERROR_STOP=1 "$@"; }
everything()
{
	shop -c 'SELECT commerce.additions()' -c 'SELECT * FROM commerce.foreign_rights()' -c 'TABLE commerce.orders' \
		-c 'TABLE commerce.events' -c 'TABLE commerce.balance_history' -c 'TABLE commerce.users' -c 'SHOW commerce.databases'
}
is_as_before() { everything >after && diff before after; }
is_sound() { [ "$(shop -c 'SELECT count(*) FROM commerce.verify()')" = 0 ]; }
has_statistics() { [ "$(shop -c "SELECT count(*) > 0 FROM pg_stats WHERE schemaname = 'commerce'")" = t ]; }
sells_with() # VERSION
{
	[ "$(shop -c "SELECT current_setting('server_version_num')::integer / 10000 FROM
		commerce.place_order(1, '[{\"option_id\": 1, \"quantity\": 1}]')")" = "$1" ]
}

check "the document has a command" test -n "$upgrade"
mkdir -p /run/postgresql && chown postgres: /run/postgresql && chmod 2775 /run/postgresql
rm -rf /etc/postgresql/* /var/log/postgresql/*
check "a cluster of 15" pg_createcluster 15 main
cat >>/etc/postgresql/15/main/postgresql.conf <<-CONF
	shared_preload_libraries = 'commerce'
	commerce.databases = 'shop'
	fsync = off
CONF
check "that runs" pg_ctlcluster 15 main start
check "a database" as_postgres createdb shop
check "a shop" shop -f "$sources/test/upgrade/shop.sql"
everything >before

# What it would do is said beside it.
dumps() { ! ${upgrade%% *} ${upgrade#*-m upgrade} && grep -q 'ERROR:  column .*note.* does not exist' "$shown"; }
check "a column that was added cannot be dumped and restored" dumps
check "which leaves the shop as it was" is_as_before
check "the document's command upgrades" $upgrade
check "and keeps all that there was" is_as_before
check "statistics are there" has_statistics
check "the shop is sound" is_sound
check "and sells with 17" sells_with 17
pg_ctlcluster 17 main stop
echo "1..$number"
[ $failures = 0 ]
