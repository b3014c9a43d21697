#!/bin/sh
# Runs tests for minutes that "make test" runs for seconds, on a server of their own:
#
#   soak.sh [NAME...]
#
# MINUTES is for how long each works, or in 033_relay_patience, for how long the
# receiver is away in each of six ways. It is 100,000 calls a minute in 070_model, and
# 10,000 in 078_sessions, and 60 crashes in 080_crash_cycles.
# Without names all tests that have such a measure.
set -eu
cd "$(dirname "$0")/.."

minutes=${MINUTES:-10}
case $minutes in
	'' | *[!0-9]* | 0*)
		echo "MINUTES must be a whole number from 1, not \"$minutes\"" >&2
		exit 2
		;;
esac
[ $# != 0 ] || set -- 033_relay_patience 055_event_random 056_claim_race 070_model 078_sessions \
	080_crash_cycles

export AWAY_SECONDS=$((minutes * 60)) STRESS_SECONDS=$((minutes * 15)) MODEL_ROUNDS=$((minutes * 5))
export SESSION_ROUNDS=$((minutes * 4)) CRASH_CYCLES=$((minutes * 60))
export PG_TEST_TIMEOUT_DEFAULT=$((minutes * 60 + 180))
test/server.sh -c fsync=off test/run.sh "$@"
