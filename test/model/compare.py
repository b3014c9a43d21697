"""Makes random calls at a database and at the model, and compares: each answer, and from
time to time all tables. Prints the seed, which makes the same calls again:

    compare.py CONNINFO CALLS [SEED]

Ends with 1 at the first difference, after it has shown that and the calls before it.
"""
import json
import random
import sys
import time
from collections import deque
from datetime import datetime, timezone

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from calls import FUNCTIONS, Caller
from model import Refused
from model_events import WholeShop

TABLES_EVERY = 1000


class Differs(Exception):
    pass


# ---- the database ----


def sent(value, type_name):
    if value is None:
        return None
    return Jsonb(value) if type_name == "jsonb" else value


def statement(function):
    types = FUNCTIONS[function][0].split()
    return f"SELECT * FROM commerce.{function}({', '.join('%s::' + name for name in types)})"


def call_database(connection, function, arguments):
    """(now, rows, None), or (now, None, Refused)."""
    now = None
    try:
        with connection.transaction():
            now = connection.execute("SELECT now()").fetchone()["now"]
            types = FUNCTIONS[function][0].split()
            rows = connection.execute(
                statement(function), [sent(*pair) for pair in zip(arguments, types)]).fetchall()
            return now, rows, None
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        detail = error.diag.message_detail
        is_ours = error.sqlstate.startswith("SC")
        return now, None, Refused(error.sqlstate, **(json.loads(detail) if is_ours and detail else {}))


# ---- comparing ----


def same(expected, actual):
    """Is all that is expected there? An object may have more."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(name in actual and same(value, actual[name]) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, datetime) and isinstance(actual, str):
        return expected == datetime.fromisoformat(actual)
    return expected == actual and isinstance(expected, bool) == isinstance(actual, bool)


def learn_events(connection, shop):
    """The ids of events that were written since, and a moment when no lease is about to end."""
    known = max((event.get("event_id", 0) for event in shop.events), default=0)
    rows = connection.execute(
        "SELECT event_id FROM commerce.events WHERE event_id > %s ORDER BY event_id", [known]).fetchall()
    shop.learn([row["event_id"] for row in rows])
    time.sleep(shop.until(datetime.now(timezone.utc)).total_seconds())


def compare_rows(asked, expected, actual):
    for number in range(max(len(expected), len(actual))):
        pair = [rows[number] if number < len(rows) else None for rows in (expected, actual)]
        if not same(*pair):
            raise Differs(f"{asked}: row {number + 1}: model {pair[0]}, database {pair[1]}")


def compare_call(connection, shop, function, arguments):
    if function.endswith(("_event", "_events", "_subscription")):
        learn_events(connection, shop)
    now, rows, refused = call_database(connection, function, arguments)
    kind = FUNCTIONS[function][1]
    answer = None
    if rows is not None:
        answer = rows if kind == "rows" else rows[0]
        answer = next(iter(answer.values())) if kind == "value" else answer
    try:
        expected = shop.call(function, now, arguments, answer)
    except Refused as wanted:
        if refused is None or refused.sqlstate != wanted.sqlstate or not same(wanted.detail, refused.detail):
            raise Differs(f"model refuses {wanted.args}, database: {refused.args if refused else answer}")
        return wanted.sqlstate
    except AssertionError as error:
        raise Differs(f"{error}, database: {refused.args if refused else answer}") from error
    if kind == "rows" and refused is None:
        compare_rows(function, expected, answer)
    elif refused is not None or not same(expected, answer):
        raise Differs(f"model answers {expected}, database: {refused.args if refused else answer}")
    return "00000"


def tables(shop, now):
    """What the database must answer, in its order."""
    yield "SELECT * FROM commerce.subscriptions ORDER BY subscription", [
        shop.shown_subscription(row) for row in by_key(shop.subscriptions)]
    yield "SELECT * FROM commerce.users ORDER BY user_id", by_key(shop.users)
    yield "SELECT * FROM commerce.balances ORDER BY user_id", by_key(shop.balances)
    yield ("SELECT * FROM commerce.balance_history ORDER BY user_id, entry_no",
           sorted(shop.history, key=lambda entry: (entry["user_id"], entry["entry_no"])))
    yield "SELECT * FROM commerce.coupon_policies ORDER BY policy_id", by_key(shop.policies)
    yield "SELECT * FROM commerce.coupons ORDER BY coupon_id", by_key(shop.coupons)
    yield "SELECT * FROM commerce.products ORDER BY product_id", by_key(shop.products)
    yield "SELECT * FROM commerce.product_options ORDER BY option_id", by_key(shop.options)
    yield ("SELECT * FROM commerce.stock ORDER BY option_id",
           [shop.stock_row(option_id) for option_id in sorted(shop.options)])
    yield ("SELECT * FROM commerce.stock_adjustments ORDER BY created_at, option_id, adjustment_id",
           sorted(shop.adjustments, key=lambda row: (row["created_at"], row["option_id"])))
    yield "SELECT * FROM commerce.orders ORDER BY order_id", by_key(shop.orders)
    yield ("SELECT * FROM commerce.order_items ORDER BY order_id, line_no",
           [dict(line, order_id=order_id) for order_id in sorted(shop.items) for line in shop.items[order_id]])
    yield "SELECT * FROM commerce.events ORDER BY event_id", shop.events
    yield ("SELECT * FROM commerce.deliveries ORDER BY subscription, event_id",
           [shop.shown(row) for row in by_key(shop.deliveries)])
    yield "SELECT * FROM commerce.coupon_quota ORDER BY policy_id", [
        dict(policy_id=policy_id, quantity=policy["quantity"], issued=shop.issued(policy_id),
             remaining=policy["quantity"] - shop.issued(policy_id))
        for policy_id, policy in sorted(shop.policies.items())]
    yield "SELECT coupon_id, state FROM commerce.coupon_wallet ORDER BY coupon_id", [
        dict(coupon_id=coupon["coupon_id"], state=state_of(coupon, now)) for coupon in by_key(shop.coupons)]
    yield ('SELECT function_name, user_id, idempotency_key FROM commerce.idempotency_keys ORDER BY'
           ' function_name, user_id, idempotency_key COLLATE "C"',
           [dict(zip(("function_name", "user_id", "idempotency_key"), key)) for key in sorted(shop.keys)])
    yield "SELECT * FROM commerce.verify()", []


def by_key(rows):
    return [rows[key] for key in sorted(rows)]


def state_of(coupon, now):
    is_over = coupon["expires_at"] is not None and coupon["expires_at"] <= now
    return "expired" if coupon["status"] == "issued" and is_over else coupon["status"]


def compare_tables(connection, shop):
    learn_events(connection, shop)
    with connection.transaction():
        now = connection.execute("SELECT now()").fetchone()["now"]
        shop.now = now
        for query, expected in tables(shop, now):
            compare_rows(query, expected, connection.execute(query).fetchall())


# ---- the run ----


def main():
    conninfo, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 10**9
    print(f"seed {seed}", flush=True)
    last, outcomes = deque(maxlen=20), {}
    with psycopg.connect(conninfo, row_factory=dict_row, autocommit=True) as connection:
        shop = WholeShop(lambda *key: connection.execute(
            "SELECT * FROM commerce.deliveries WHERE subscription = %s AND event_id = %s", key).fetchone())
        connection.execute("LOAD 'commerce'")
        shop.max_charge = int(connection.execute(
            "SELECT current_setting('commerce.max_charge_amount') AS most").fetchone()["most"])
        caller = Caller(random.Random(seed), shop)
        connection.execute("SET timezone = 'UTC'")
        try:
            for number in range(1, count + 1):
                function, arguments = caller.next()
                last.append((number, function, arguments))
                sqlstate = compare_call(connection, shop, function, arguments)
                outcomes[function, sqlstate] = outcomes.get((function, sqlstate), 0) + 1
                if number % TABLES_EVERY == 0 or number == count:
                    compare_tables(connection, shop)
        except Differs as difference:
            for call in last:
                print(*call)
            print(f"call {number}, at {shop.now}, differs: {difference}")
            try:
                compare_tables(connection, shop)
            except Differs as difference:
                print(f"tables differ: {difference}")
            return 1
    for function, sqlstate in sorted(outcomes):
        print(f"{outcomes[function, sqlstate]:8} {function} {sqlstate}")
    print(f"{count} calls: the database answers as the model does")
    return 0


sys.exit(main())
