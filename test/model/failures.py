"""Lets each writing call fail once at every place where it can:

    failures.py CONNINFO [SHARE]

The library has stop points (make STOPS=1). For n = 1, 2, 3 and so on until the call passes:
the n-th memory allocation fails; or at the n-th stop point the call fails, is cancelled, or
its session is terminated or killed. The database must be unchanged then, nothing locked, and
the same session, or after its end a new one, must be able to make the call. A SHARE (0 to 1]
of the kills and of the allocations is tried. Ends with 1 if anything is wrong.
"""
import random
import sys
import time

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from interleave import CALLS

CALLS = dict(
    CALLS,
    **{
        "create user": "SELECT name FROM commerce.create_user('x')",
        "create product": "SELECT name FROM commerce.create_product('x')",
        "create option": "SELECT price FROM commerce.create_product_option({product}, 'x', 1, 5)",
        "create policy": "SELECT name FROM commerce.create_coupon_policy('x', 'fixed', 1, 5)",
        "close policy": "SELECT issue_until IS NULL FROM commerce.close_coupon_policy({many})",
        "user name": "SELECT name FROM commerce.set_user_name({u1}, 'y')",
        "hold with a coupon": "SELECT total FROM commerce.hold_order({u1}, items({opt}, 1), {c1}, '1 hour', 'a key')",
        "issue with a key": "SELECT status FROM commerce.issue_coupon({u1}, {last}, 'a key')",
        "adjust with a key": "SELECT available FROM commerce.adjust_stock({opt}, 5, 'x', 'key {opt}')",
        "claim": "SELECT count(*) FROM commerce.claim_events(subscription => 'walk')",
        "subscribe": "SELECT event_types FROM commerce.create_subscription('other{opt}')",
        "expire": "SELECT commerce.expire_orders(5)",
    })
WAYS = {"error": {"53200"}, "cancel": {"57014"}, "terminate": {"57P01", None}, "crash": {None}}
STEADY_BYTES = 2 * 1024 * 1024


class Walk:
    def __init__(self, conninfo, share):
        self.conninfo, self.share, self.chance = conninfo, share, random.Random(1)
        self.count, self.wrong = {}, 0
        self.watch = self.connect()

    def connect(self):
        """The server may be in recovery."""
        end = time.monotonic() + 180
        while True:
            try:
                return psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row, prepare_threshold=None)
            except psycopg.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def one(self, query, *arguments):
        """Of a session that sees what the called one has done; a crash ends it too, and perhaps the next."""
        while True:
            try:
                return self.watch.execute(query, arguments).fetchone()
            except psycopg.OperationalError:
                self.watch = self.connect()

    def new_shop(self):
        shop = self.one("SELECT * FROM new_shop()")
        self.one("SELECT count(*) FROM commerce.claim_events(subscription => 'walk')")
        self.one("SELECT count(*) FROM commerce.release_events((SELECT array_agg(event_id) FROM commerce.deliveries"
                 " WHERE subscription = 'walk' AND status = 'running'), (SELECT array_agg(attempt) FROM"
                 " commerce.deliveries WHERE subscription = 'walk' AND status = 'running'), subscription => 'walk')")
        return shop

    def state(self, shop):
        return self.one(
            "SELECT state_of(%s) || (SELECT count(*) FROM commerce.users) || '/' || (SELECT count(*) FROM"
            " commerce.products) || '/' || (SELECT count(*) FROM commerce.product_options) || '/' || (SELECT count(*)"
            " FROM commerce.subscriptions) || '/' || (SELECT count(*) FROM commerce.coupon_policies) || '/' || (SELECT"
            " string_agg(status::text || attempt, ',' ORDER BY event_id) FROM commerce.deliveries WHERE subscription"
            " = 'walk') AS state", Jsonb(shop))["state"]

    def call(self, session, statement):
        """(answer, None), or (None, SQLSTATE), which is None where the session has ended."""
        try:
            return str(next(iter(session.execute(statement).fetchone().values()))), ""
        except psycopg.Error as error:
            return None, error.sqlstate

    def fails(self, name, way, setting):
        """Calls with n = 1, 2, 3 until it passes."""
        shop = self.new_shop()
        before, statement = self.state(shop), CALLS[name].format(**shop)
        session, memory, number, step = self.session(way), 0, 0, 1
        while True:
            number += step
            session.execute(f"SET {setting} = {number}")
            answer, sqlstate = self.call(session, statement)
            if answer is not None:
                break
            if sqlstate not in WAYS.get(way, WAYS["error"]):
                self.report(name, way, number, f"it ends with {sqlstate}")
                break
            self.count[way] = self.count.get(way, 0) + 1
            if session.closed:
                self.one("SELECT pg_sleep(0.1)" if way == "crash" else "SELECT 1")
                session = self.session(way)
            session.execute(f"RESET {setting}")
            self.look_at_locks(name, way, number, session)
            if (now := self.state(shop)) != before:
                self.report(name, way, number, f"the state is {now}, not {before}")
                before = now
            memory = self.look_at_memory(name, way, number, session, memory)
            step = 1 if way in ("error", "cancel") else self.chance.choice(range(1, max(2, int(2 / self.share))))
        self.count["passed"] = self.count.get("passed", 0) + 1
        session.close()

    def session(self, way):
        while True:
            session = self.connect()
            try:
                if way in WAYS:
                    session.execute(f"SET commerce.stop_action = {way}")
                return session
            except psycopg.OperationalError:
                pass

    def look_at_locks(self, name, way, number, session):
        held = session.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'"
            " AND relation IS DISTINCT FROM 'pg_locks'::regclass").fetchone()["count"]
        if held:
            self.report(name, way, number, f"{held} locks are held")

    def look_at_memory(self, name, way, number, session, before):
        """What a session keeps: as much after hundreds of failures as after some."""
        if number % 100 or way != "allocation":
            return before
        used = session.execute("SELECT sum(total_bytes) FROM pg_backend_memory_contexts").fetchone()["sum"]
        if before and used > before + STEADY_BYTES:
            self.report(name, way, number, f"the session has grown from {before} to {used} bytes")
        return before or used

    def report(self, name, way, number, text):
        self.wrong += 1
        print(f"{name}, {way} {number}: {text}", flush=True)


def main():
    walk = Walk(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1)
    walk.one("SELECT FROM commerce.create_subscription('walk')")
    ways = list(WAYS)
    if walk.one("SELECT current_setting('commerce.stop_allocation', true) AS there")["there"] is not None:
        ways.append("allocation")
    for name in CALLS:
        for way in ways:
            walk.fails(name, way, "commerce.stop_allocation" if way == "allocation" else "commerce.stop_at")
    broken = walk.watch.execute("SELECT * FROM commerce.verify()").fetchall()
    print(", ".join(f"{way} {count}" for way, count in sorted(walk.count.items())))
    print(f"{sum(walk.count.values())} calls, {walk.wrong} of them wrong, {len(broken)} invariants violated")
    return 1 if walk.wrong or broken else 0


if __name__ == "__main__":
    sys.exit(main())
