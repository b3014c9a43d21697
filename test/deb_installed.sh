#!/bin/sh
# What deb.sh runs as root in a root of its own, booted by systemd, without a network:
# a shop is opened with the packages in /test/packages, sells and transmits while they
# are upgraded to those in /test/newer, and outlives them. Reports as TAP to /test/log.
set -u
cd /test || exit 1
exec >log 2>&1

. ./tap.sh

soon() # COMMAND...: it succeeds within a minute
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.2
	done
}

export DEBIAN_FRONTEND=noninteractive
packages="$(basename -a packages/*.deb | sed 's/_.*//')"
major=$(echo "$packages" | sed -n 's/^postgresql-\(.*\)-commerce$/\1/p')
shop() { runuser -u postgres -- psql -X -q -A -t -d shop -v ON_ERROR_STOP=1 "$@"; }
is_true() { [ "$(shop -c "SELECT $1")" = t ]; }
all_delivered() { is_true "bool_and(status = 'delivered') FROM commerce.deliveries"; }
are_of() # VERSION FOLDER...: that folder's version is what is installed
{
	for file in "$1"/*.deb; do
		[ "$(dpkg-deb -f "$file" Version)" = \
			"$(dpkg-query -W -f '${Version}' "$(dpkg-deb -f "$file" Package)")" ] || return 1
	done
}

# ---- installation ----

check "the packages are installed" \
	apt-get install -q -y --no-install-recommends /test/packages/*.deb
[ $failures = 0 ] || exit 1
check "they are of the version that was built" are_of packages
for file in /usr/bin/commerce_relay /usr/share/man/man1/commerce_relay.1.gz \
	/usr/share/doc/commerce-relay/examples/commerce_relay.conf \
	"/usr/lib/postgresql/$major/lib/commerce.so" \
	"/usr/share/postgresql/$major/extension/commerce.control"; do
	check "$file is there" test -s "$file"
done
no_other_relay() { [ "$(find /usr -name 'commerce_relay*' | wc -l)" = 3 ]; }
check "and the relay is nowhere else" no_other_relay
check "the relay runs" commerce_relay --version
verify_unit()
{
	systemd-analyze verify --man=no commerce-relay@orders.service >verified 2>&1
	cat verified
	[ ! -s verified ]
}
check "systemd understands the unit" verify_unit
is_strict() { systemd-analyze security --threshold=20 commerce-relay@orders.service; }
check "and finds it well protected" is_strict
no_instance() { [ -z "$(systemctl list-units --all --plain --no-legend 'commerce-relay@*')" ]; }
check "nothing of it runs unasked" no_instance
check "the package's own test passes" /test/order

# ---- a shop ----

cat >>"/etc/postgresql/$major/main/postgresql.conf" <<CONF
shared_preload_libraries = 'commerce'
commerce.databases = 'shop'
CONF
check "the server starts with the library" systemctl restart "postgresql@$major-main"
check "a database" soon runuser -u postgres -- createdb shop
cat >shop.sql <<SQL
CREATE EXTENSION commerce;
CREATE ROLE commerce_relay LOGIN;
SELECT commerce.grant_access('commerce_relay', 'relay');
SELECT FROM commerce.create_user('Kim');
SELECT FROM commerce.charge_balance(1, 1000000);
SELECT FROM commerce.create_product('T-shirt');
SELECT FROM commerce.create_product_option(1, 'size M', 1000, stock => 1000);
SELECT FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 2}]');
SQL
check "the shop opens and sells" shop -f shop.sql

# ---- the relay as a service ----

(umask 077; echo "whsec_$(openssl rand -base64 32)" >/etc/commerce-relay/orders.secret)
perl receiver.pl --port-file port --log requests /etc/commerce-relay/orders.secret &
receiver=$!
check "a receiver" soon test -s port
for instance in orders lost; do
	install -m 600 /usr/share/doc/commerce-relay/examples/commerce_relay.conf \
		"/etc/commerce-relay/$instance.conf"
	sed -i "s,^url = .*,url = http://127.0.0.1:$(cat port)/," "/etc/commerce-relay/$instance.conf"
done
check "the relay is enabled and started" systemctl enable --now commerce-relay@orders
check "it delivers" soon all_delivered
relay_pid() { systemctl show -P MainPID commerce-relay@orders; }
user_is_its_own() { [ "$(stat -c %U "/proc/$(relay_pid)")" = commerce_relay ]; }
check "as a user of its own" user_is_its_own

# What another start does not mend is started once.
ends_with() # STATUS INSTANCE
{
	systemctl start "commerce-relay@$2" || :
	soon systemctl -q is-failed "commerce-relay@$2" || return 1
	sleep 6
	systemctl status "commerce-relay@$2"
	[ "$(systemctl show -P ExecMainStatus "commerce-relay@$2")" = "$1" ] &&
		[ "$(systemctl show -P NRestarts "commerce-relay@$2")" = 0 ]
}
check "an instance without files fails once" ends_with 243 nobody
sed -i 's/^subscription = .*/subscription = lost/' /etc/commerce-relay/lost.conf
cp -p /etc/commerce-relay/orders.secret /etc/commerce-relay/lost.secret
check "one without a subscription fails once" ends_with 1 lost
first=$(relay_pid)
systemctl kill -s KILL commerce-relay@orders
runs_anew() { [ "$(relay_pid)" != "$first" ] && systemctl -q is-active commerce-relay@orders; }
check "one that was killed is started again" soon runs_anew

# ---- upgrade, in the midst of it ----

first=$(relay_pid)
for order in $(seq 200); do
	echo "SELECT FROM commerce.place_order(1, '[{\"option_id\": 1, \"quantity\": 1}]');"
	echo "SELECT pg_sleep(0.02);"
done >orders.sql
shop -f orders.sql >orders 2>&1 &
buyer=$!
check "there are orders" soon is_true "count(*) > 20 FROM commerce.orders"
check "the packages are upgraded" dpkg -i newer/*.deb
check "to the newer version" are_of newer
check "the relay is the new one" runs_anew
check "the session buys on" wait $buyer
check "all is delivered" soon all_delivered
none_is_lost()
{
	[ "$(cut -f 2 requests | sort -u | wc -l)" = "$(shop -c 'SELECT count(*) FROM commerce.events')" ] &&
		is_true "count(*) = 201 FROM commerce.orders"
}
check "and none is lost" none_is_lost
check "the books are right" is_true "NOT EXISTS (SELECT FROM commerce.verify())"
check "the configuration is as it was" grep -q '^url = http://127' /etc/commerce-relay/orders.conf

# ---- purge ----

check "the packages are purged" apt-get purge -q -y $packages
nothing_is_left()
{
	find / -xdev -name '*commerce*' ! -path '/test/*' ! -path '/var/cache/apt/archives/*' \
		! -name 'commerce-test.service' ! -path /etc/dpkg/dpkg.cfg.d/commerce >left
	cat left
	[ ! -s left ]
}
check "no file is left" nothing_is_left
no_relay() { ! grep -l commerce_relay /proc/[0-9]*/comm; }
check "nor a process" no_relay
no_user() { ! getent passwd commerce_relay; }
check "nor a user" no_user
check "the shop's data are" is_true "count(*) = 201 FROM commerce.orders"
check "the packages are installed again" dpkg -i packages/*.deb
check "and it sells again" shop -c \
	"SELECT FROM commerce.place_order(1, '[{\"option_id\": 1, \"quantity\": 1}]')"

kill $receiver
touch done
[ $failures = 0 ]
