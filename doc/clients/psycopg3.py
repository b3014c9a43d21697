# psycopg 3: buys, is refused, and takes the events.
import json

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

conn = psycopg.connect("dbname=shop", autocommit=True, row_factory=namedtuple_row)
conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ


def in_transaction(work, attempts=10):
    """Runs it once more as long as somebody else was there first."""
    for attempt in range(1, attempts + 1):
        try:
            with conn.transaction():
                return work()
        except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected):
            if attempt == attempts:
                raise


def place_order(items, key=None):
    return conn.execute("SELECT * FROM commerce.place_order(%s, %s, idempotency_key => %s)",
                        (1, Jsonb(items), key)).fetchone()


def charge_and_buy():
    conn.execute("SELECT * FROM commerce.charge_balance(%s, %s, %s)", (1, 10000, "tx-8813"))
    return place_order([{"option_id": option_id, "quantity": 2}], "cart-52")


option_id, = conn.execute("SELECT option_id FROM commerce.product_options WHERE name = %s",
                          ("size M",)).fetchone()
order = in_transaction(charge_and_buy)
print(f"order {order.order_id} is {order.status}: {order.total}")

try:
    place_order([{"option_id": option_id, "quantity": 99}])
except psycopg.Error as e:
    if not (e.sqlstate or "").startswith("SC"):
        raise
    short, = json.loads(e.diag.message_detail)["shortages"]
    print(f"{e.sqlstate}: {short['available']} are left, not {short['requested']}")

events = conn.execute("SELECT * FROM commerce.claim_events(100, '1 minute')").fetchall()
for event in events:
    print(event.event_type, event.payload["data"]["order"]["total"])
acked, = conn.execute("SELECT commerce.ack_events(%s, %s)",
                      ([e.event_id for e in events], [e.attempt for e in events])).fetchone()
print(f"{acked} acknowledged")
