"""Walks two calls that share a row through all their interleavings:

    interleave.py CONNINFO SHARE [SEED]

The library has stop points (make STOPS=1). For each pair of calls, the first one is held
at its first stop point, then at its second, and so on; meanwhile the other one is called;
then the first one may go on. What both answer, and what is in the tables then, must be
what it would be had one been called after the other. In REPEATABLE READ one of them may
fail with 40001 instead, as if it had never been called. Of all pairs a SHARE (0 to 1] is
tried. Prints what differs, and ends with 1 if anything does.
"""
import random
import sys
import time
from threading import Thread

import psycopg
from psycopg.rows import dict_row

STOP_LOCK = 7777
CALLS = {
    "place": "SELECT total FROM commerce.place_order({u1}, items({opt}, 1))",
    "place 2": "SELECT total FROM commerce.place_order({u2}, items({opt}, 2))",
    "place with a coupon": "SELECT total FROM commerce.place_order({u1}, items({opt}, 1), {c1})",
    "place with a key": "SELECT total FROM commerce.place_order({u1}, items({opt}, 1), NULL, 'a key')",
    "place all": "SELECT total FROM commerce.place_order({u2}, items({opt}, 3))",
    "place two": "SELECT array_agg(sqlstate ORDER BY request_no) FROM commerce.place_orders(jsonb_build_array("
    "jsonb_build_object('user_id', {u1}, 'items', items({opt}, 2)),"
    " jsonb_build_object('user_id', {u2}, 'items', items({opt}, 1))))",
    "hold": "SELECT status FROM commerce.hold_order({u2}, items({opt}, 2))",
    "pay": "SELECT status FROM commerce.pay_order({held})",
    "cancel the held": "SELECT status FROM commerce.cancel_order({held}, 'no')",
    "cancel the paid": "SELECT refunded FROM commerce.cancel_order({paid}, 'no')",
    "refund": "SELECT refunded FROM commerce.refund_order({paid}, items({opt}, 1))",
    "refund with a key": "SELECT refunded FROM commerce.refund_order({paid}, items({opt}, 1), 'a key')",
    "refund, lost": "SELECT refunded FROM commerce.refund_order({paid}, items({opt}, 2), NULL, false)",
    "charge": "SELECT balance_after FROM commerce.charge_balance({u1}, 50)",
    "charge with a key": "SELECT balance_after FROM commerce.charge_balance({u1}, 50, 'a key')",
    "first charge": "SELECT balance_after FROM commerce.charge_balance({u3}, 50)",
    "use": "SELECT balance_after FROM commerce.use_balance({u1}, 700)",
    "issue": "SELECT status FROM commerce.issue_coupon({u1}, {last})",
    "issue to another": "SELECT status FROM commerce.issue_coupon({u2}, {last})",
    "issue to both": "SELECT array_agg(sqlstate) FROM commerce.issue_coupons({last}, ARRAY[{u2}, {u1}]::bigint[])",
    "use a coupon": "SELECT discount_amount FROM commerce.use_coupon({u1}, {c1}, 500)",
    "revoke": "SELECT status FROM commerce.revoke_coupon({c1})",
    "take stock": "SELECT available FROM commerce.adjust_stock({opt}, -3)",
    "add stock": "SELECT available FROM commerce.adjust_stock({opt}, 5)",
    "spread": "SELECT commerce.spread_stock({opt}, 2) > 0",
    "price": "SELECT price FROM commerce.set_price({opt}, 70)",
    "fewer coupons": "SELECT quantity FROM commerce.update_coupon_policy({last}, quantity => 0)",
    "more coupons": "SELECT quantity FROM commerce.update_coupon_policy({last}, quantity => 2)",
    "erase": "SELECT name FROM commerce.erase_user({u1})",
}


class Session:
    """A session that calls in a thread of its own."""

    def __init__(self, conninfo):
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self.pid = self.connection.info.backend_pid
        self.thread = None

    def call(self, statement, level="read committed", stop_at=0):
        self.connection.execute(f"SET default_transaction_isolation = '{level}'")
        self.connection.execute(f"SET commerce.stop_at = {stop_at}")
        self.answer = None
        self.thread = Thread(target=self.run, args=[statement])
        self.thread.start()

    def run(self, statement):
        try:
            self.answer = str(self.connection.execute(statement).fetchone()[0])
        except psycopg.Error as error:
            self.answer = error.sqlstate or str(error)

    def end(self):
        self.thread.join(120)
        if self.thread.is_alive():
            raise SystemExit(f"a call does not end: {self.pid}")
        return self.answer


class Walk:
    def __init__(self, conninfo):
        self.first, self.second = Session(conninfo), Session(conninfo)
        self.watch = psycopg.connect(conninfo, autocommit=True, row_factory=dict_row)
        self.watch.execute("SET timezone = 'UTC'")
        self.watch.execute("SELECT pg_advisory_lock(%s)", [STOP_LOCK])
        self.alone, self.serial, self.count, self.failures = {}, {}, 0, []

    def new_shop(self):
        return self.watch.execute("SELECT * FROM new_shop()").fetchone()

    def state(self, shop):
        return self.watch.execute("SELECT state_of(%s) AS state", [psycopg.types.json.Jsonb(shop)]).fetchone()["state"]

    def one_by_one(self, names):
        """What these calls answer in that order, and the state then."""
        if names not in self.serial:
            shop = self.new_shop()
            answers = []
            for name in names:
                self.first.call(CALLS[name].format(**shop))
                answers.append(self.first.end())
            self.serial[names] = (tuple(answers), self.state(shop))
        return self.serial[names]

    def settles(self, session):
        """Waits until the session has answered or waits for a lock. Has it answered?"""
        while session.thread.is_alive():
            row = self.watch.execute(
                "SELECT wait_event_type = 'Lock' AS waits FROM pg_stat_activity WHERE pid = %s", [session.pid]).fetchone()
            if row and row["waits"]:
                return False
            time.sleep(0.0005)
        return True

    def interleave(self, names, level, stop_at):
        """(answers, state), or None: the first call has no such stop point."""
        shop = self.new_shop()
        self.first.call(CALLS[names[0]].format(**shop), level, stop_at)
        if self.settles(self.first):
            return None
        self.second.call(CALLS[names[1]].format(**shop), level)
        self.settles(self.second)
        self.watch.execute("SELECT pg_advisory_unlock(%s)", [STOP_LOCK])
        answers = (self.first.end(), self.second.end())
        self.watch.execute("SELECT pg_advisory_lock(%s)", [STOP_LOCK])
        return answers, self.state(shop)

    def outcomes(self, names, level):
        """All that may come of the two at once."""
        (one, other), after = self.one_by_one(names)
        yield (one, other), after
        (other, one), after = self.one_by_one(names[::-1])
        yield (one, other), after
        if level != "read committed":
            for number, name in enumerate(names):
                (answer,), after = self.one_by_one((name,))
                yield (answer, "40001") if number == 0 else ("40001", answer), after

    def walk(self, names, level):
        stop_at = 1
        while (found := self.interleave(names, level, stop_at)) is not None:
            self.count += 1
            expected = list(self.outcomes(names, level))
            if found not in expected:
                self.failures.append((names, level, stop_at))
                print(f"{names}, {level}, stop {stop_at}: {found[0]}, {found[1]}")
                for answers, state in expected:
                    print(f"  expected {answers}, {'the same' if state == found[1] else state}")
            stop_at += 1


def main():
    conninfo, share = sys.argv[1], float(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 10**9
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    walk = Walk(conninfo)
    pairs = [(one, other) for one in CALLS for other in CALLS]
    for names in chance.sample(pairs, max(1, round(share * len(pairs)))):
        walk.walk(names, chance.choice(["read committed", "read committed", "repeatable read", "serializable"]))
    broken = walk.watch.execute("SELECT * FROM commerce.verify()").fetchall()
    print(f"{walk.count} interleavings, {len(walk.failures)} of them wrong, {len(broken)} invariants violated")
    return 1 if walk.failures or broken or not walk.count else 0


if __name__ == "__main__":
    sys.exit(main())
