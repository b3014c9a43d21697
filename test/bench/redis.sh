# Two Redis servers with all they write in $SCRATCH, on the database's disk: "always"
# flushes its log before it answers, "everysec" once a second. Sourced by coupons.sh.
# shellcheck shell=sh
redis_servers=

# redis FLUSH COMMAND...: asks one of them.
redis()
{
	flush=$1
	shift
	redis-cli -s "$SCRATCH/redis_$flush/socket" "$@"
}
start_redis() # FLUSH
{
	mkdir "$SCRATCH/redis_$1"
	redis-server --port 0 --unixsocket "$SCRATCH/redis_$1/socket" \
		--dir "$SCRATCH/redis_$1" --pidfile "$SCRATCH/redis_$1/pid" --save '' \
		--appendonly yes --appendfsync "$1" --auto-aof-rewrite-percentage 0 \
		>"$SCRATCH/redis_$1/log" 2>&1 &
	redis_servers="$redis_servers $!"
	tries=0
	until redis "$1" PING >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 100 ]; then
			cat "$SCRATCH/redis_$1/log" >&2
			exit 1
		fi
		sleep 0.1
	done
}
# shellcheck disable=SC2086 # several
stop_redis() { [ -z "$redis_servers" ] || kill $redis_servers 2>/dev/null || :; }

redis_remaining() { redis "$1" GET "policy:$2:remaining"; }
redis_issued() { redis "$1" SCARD "policy:$2:users"; }

# issue_in_redis FLUSH POLICY REQUESTS CLIENTS: prints coupons issued per second, or
# INVALID. Users are drawn from 2,000,000,000: hardly one
# comes twice.
issue_in_redis()
{
	script_id=$(redis "$1" SCRIPT LOAD "$(cat issue.lua)")
	issued=$(redis_issued "$1" "$2")
	remaining=$(redis_remaining "$1" "$2")
	rate=$(redis-benchmark -s "$SCRATCH/redis_$1/socket" -c "$4" -n "$3" -r 2000000000 \
		--csv EVALSHA "$script_id" 2 "policy:$2:remaining" "policy:$2:users" __rand_int__ \
		2>>"$SCRATCH/redis_$1/log" | awk -F '","' '/^"EVALSHA / { print $2 }')
	issued=$(($(redis_issued "$1" "$2") - issued))
	taken=$((remaining - $(redis_remaining "$1" "$2")))
	if [ $issued != $taken ] || [ $issued -lt $(($3 * 999 / 1000)) ]; then
		say "of $3 coupons Redis issued $issued and took $taken"
		echo INVALID
	else
		echo "${rate:-0} $issued $3" | awk '{ printf "%.0f\n", $1 * $2 / $3 }'
	fi
}
