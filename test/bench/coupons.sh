#!/bin/sh
# Coupons of one policy that everyone wants: commerce, its peers and Redis, on the
# server that test/server.sh gave us and the same disk, as a table in Markdown. See
# doc/performance.md. Fails if any figure is invalid: a call that was not a success
# spoils it.
set -eu
cd "$(dirname "$0")"
. ./common.sh
. ./redis.sh
users=$([ "${QUICK:-}" = 1 ] && echo 200000 || echo 1000000)
policies=200

# rate SIDE SECONDS CLIENTS: each measurement has a policy of its own, of which no user
# has a coupon.
policy=0
rate()
{
	policy=$((policy + 1))
	[ $policy -le $policies ] || { say "more measurements than policies"; exit 1; }
	case $1 in
	"Redis, always") redis_rate always "$2" "$3" ;;
	"Redis, everysec") redis_rate everysec "$2" "$3" ;;
	*) successes_per_second "$1.issue_coupon" issue.pgbench "$2" "$3" -D i=0 \
		-D "users=$users" -D "connections=$3" -D "policy_id=$policy" ;;
	esac
}
# redis-benchmark takes a number of calls instead of seconds: a short run says how
# many make them.
redis_rate() # FLUSH SECONDS CLIENTS
{
	redis "$1" SET "policy:$policy:remaining" 1000000000 >/dev/null
	probed=$(issue_in_redis "$1" $policy 10000 "$3")
	if [ "$probed" = INVALID ]; then
		echo INVALID
	else
		issue_in_redis "$1" $policy $((probed * $2)) "$3"
	fi
}

trap stop_redis EXIT
fill_schemas tuned_coupons.sql usual_coupons.sql
say "Filling $users users"
run_sql -v users="$users" -v policies=$policies -f coupons.sql >/dev/null
start_redis always
start_redis everysec
start_measuring
export PGOPTIONS='-c commerce.notify=off'

echo
echo "### Coupons"
compare_head Call commerce usual tuned "Redis, always" "Redis, everysec"
for clients in ${CLIENTS:-8 32}; do
	compare "issue_coupon, everyone the same policy" "$clients" \
		commerce usual tuned "Redis, always" "Redis, everysec"
done

how_taken
for schema in commerce usual tuned; do
	expect "coupons of $schema, all there" "$(counted "$schema.issue.pgbench")" \
		"$(run_sql -c "SELECT count(*) FROM $schema.coupons")"
done
expect_sound commerce
for schema in usual tuned; do
	expect "invariants violated in $schema" 0 \
		"$(sed "s/tuned\./$schema./g" verify_coupons.sql | run_sql)"
done
machine
machine_has Redis "$(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')"
exit $failed
