# Scene 8, sourced by run.sh: commerce_relay between the shop and a receiver.
received=$SCRATCH/received
requests=$SCRATCH/requests
relay_log=$SCRATCH/relay.log
secret=$SCRATCH/secret
answers=$SCRATCH/answers

# Whatever proxy the environment names, it is not between us and ourselves.
export no_proxy='*'

# What the receiver saw of the last order.
show_received()
{
	echo "What the receiver saw:"
	echo
	awk -F '\t' -v order_id="$(value 'SELECT max(order_id) FROM commerce.orders')" '
		$3 == order_id {
			if (!first)
				first = $1
			split($6, answer, ":")
			printf "  %3.1f s  webhook-id %s: %s of order %s, %s, answered %s%s\n",
				$1 - first, $2, $4, $3, $5 == "1" ? "signature verified" : "NOT SIGNED",
				answer[1], answer[2] ? " (Retry-After: " answer[2] ")" : ""
		}' "$received"
}

(umask 077; echo "whsec_$(head -c 32 /dev/urandom | base64)" >"$secret")
../receiver.pl --port-file "$SCRATCH/port" --log "$received" --raw "$requests" \
	--script "$answers" "$secret" &
receiver_pid=$!
relay_pid=
trap 'kill $receiver_pid $relay_pid 2>/dev/null || :' EXIT

# The same, with the relay's own words where it is in vain.
wait_for_relay() # COMMAND...
{
	wait_for "$@" || {
		echo "the relay says:" >&2
		tail -n 10 "$relay_log" >&2
		return 1
	}
}
wait_for test -s "$SCRATCH/port"
url=http://127.0.0.1:$(cat "$SCRATCH/port")/orders

show 8_relay.sql
echo
echo "  commerce_relay --conninfo \"host=... user=relay\" --url $url --secret-file secret &"
: >"$relay_log"
commerce_relay --conninfo "host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=relay" \
	--url "$url" --secret-file "$secret" --poll-interval 200ms 2>>"$relay_log" &
relay_pid=$!
wait_for_relay grep -q event=connected "$relay_log"

show 8_relay_order.sql
wait_for_relay is_true "bool_and(status = 'delivered') FROM commerce.deliveries"
show_received
echo
echo "The head of that request:"
echo
sed -n '/^\r*$/q; s/^/  /p' "$requests" | tr -d '\r'

echo "* 500 200" >"$answers"
show 8_relay_failure.sql
wait_for_relay is_true "bool_and(status = 'delivered') FROM commerce.deliveries"
value "SELECT '  attempt ' || attempt || ', failures ' || failures || ': ' || status
	FROM commerce.deliveries WHERE attempt > 1 AND event_id = (SELECT max(event_id) FROM commerce.events)"
echo
show_received
echo
echo "SIGTERM: the relay finishes what it has begun, and its last lines are"
echo
kill $relay_pid
relay_status=0
wait $relay_pid || relay_status=$?
relay_pid=
tail -n 2 "$relay_log" | sed 's/^/  /'
