"""What all sessions were told of a shop, and what is in its tables then, as one history."""
from math import inf

from history import History, add, equals, go, has


def settle(shop, told, connection):
    """All of it as it was at one moment: orders may still expire."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        compare(shop, told, connection)


def compare(shop, told, connection):
    def rows(query):
        return connection.execute(query, [shop.users]).fetchall()

    orders = {row["order_id"]: row for row in rows("SELECT * FROM commerce.orders WHERE user_id = ANY (%s)")}
    events = {order_id: [] for order_id in orders}
    for row in rows("SELECT event_id, order_id FROM commerce.events JOIN commerce.orders USING (order_id)"
                    " WHERE user_id = ANY (%s) ORDER BY event_id"):
        events[row["order_id"]].append(row["event_id"])
    once = record_told(shop, told, events)
    for order_id, order in orders.items():
        if order["status"] == "expired" and order_id in once:
            record_expired(shop, once[order_id][0], order_id)
    compare_ids(shop, once, orders, rows)
    record_end(shop, orders, events, rows)


def record_told(shop, told, events):
    """What happened once, though several calls may have told of it, by its id."""
    after = {event: later for ids in events.values() for event, later in zip(ids, ids[1:] + [None])}
    once = {}
    for thing, begin, end, act, arguments in told:
        if thing[0] == "once":
            first = once.setdefault(thing[1], [begin, end, act])
            first[:2] = min(begin, first[0]), min(end, first[1])
        elif act == "next":
            shop.history.record(thing, begin, end, go, arguments, after.get(arguments[0]))
        else:
            shop.history.record(thing, begin, end, act, *arguments)
    for thing, (begin, end, (kind, *what)) in once.items():
        for shared, act, *arguments in KINDS[kind](shop.history, thing, *what):
            shop.history.record(shared, begin, end, act, *arguments)
    return once


def made(history, order_id, user, items, coupon, total, is_paid):
    yield ("order", order_id), go, (None,), "paid" if is_paid else "pending"
    for option, quantity in items.items():
        history.begin(("left", order_id, option), quantity)
        yield ("stock", option), add, -quantity
    if coupon is not None:
        yield ("coupon", coupon), go, ("issued",), "used"
    history.begin(("told", order_id), 0)
    if is_paid:
        yield ("told", order_id), add, 1
        yield ("balance", user), has, total
        if total:
            yield ("balance", user), add, -total


def moved(_history, _entry, user, amount, balance):
    yield ("balance", user), add, amount, balance


def issued(_history, _thing, user, policy, coupon):
    yield ("quota", policy), add, -1
    yield ("limit", policy, user), add, -1
    yield ("coupon", coupon), go, (None,), "issued"


KINDS = {"made": made, "moved": moved, "issued": issued}


def changed_by(thing, act):
    if thing[0] == "once":
        kind, *what = act
        return [shared for shared, *_ in KINDS[kind](History(), thing[1], *what)]
    return [thing]


def record_expired(shop, begin, order_id):
    order = shop.orders[order_id]
    shop.history.record(("order", order_id), begin, inf, go, ("pending",), "expired")
    for option, quantity in order["items"].items():
        shop.history.record(("stock", option), begin, inf, add, quantity)
    if order["coupon"] is not None:
        shop.history.record(("coupon", order["coupon"]), begin, inf, go, ("used",), "issued")


def compare_ids(shop, once, orders, rows):
    """What is there is what was answered."""
    there = set(orders)
    there |= {(row["user_id"], row["entry_no"]) for row in rows(
        "SELECT * FROM commerce.balance_history WHERE user_id = ANY (%s) AND type IN ('charge', 'use')")}
    there |= {("coupon", row["coupon_id"]) for row in rows("SELECT * FROM commerce.coupons WHERE user_id = ANY (%s)")}
    for thing in there ^ set(once):
        shop.failures.append(f"{thing} was {'never answered' if thing in there else 'answered, and is not there'}")


def record_end(shop, orders, events, rows):
    def is_at_end(thing, value):
        shop.history.record(thing, inf, inf, equals, value)

    for row in rows("SELECT * FROM commerce.balances WHERE user_id = ANY (%s)"):
        is_at_end(("balance", row["user_id"]), row["balance"])
    for row in rows("SELECT * FROM commerce.coupons WHERE user_id = ANY (%s)"):
        is_at_end(("coupon", row["coupon_id"]), row["status"])
    for order_id, order in orders.items():
        is_at_end(("order", order_id), order["status"])
        is_at_end(("told", order_id), len(events[order_id]))
        shop.history.begin(("head", order_id), events[order_id][0] if events[order_id] else None)
    for row in rows("SELECT * FROM commerce.stock WHERE %s IS NOT NULL"):
        if row["option_id"] in shop.prices:
            is_at_end(("stock", row["option_id"]), row["available"])
    for row in rows("SELECT option_id, count(*) AS count FROM commerce.stock_adjustments WHERE reason = 'x'"
                    " AND %s IS NOT NULL GROUP BY option_id"):
        if row["option_id"] in shop.prices:
            is_at_end(("adjusted", row["option_id"]), row["count"])
    for row in rows("SELECT * FROM commerce.coupon_quota WHERE %s IS NOT NULL"):
        if row["policy_id"] in shop.policies:
            is_at_end(("quota", row["policy_id"]), row["remaining"])
    for row in rows("SELECT order_id, option_id, quantity - refunded_quantity AS left FROM commerce.order_items"
                    " JOIN commerce.orders USING (order_id) WHERE user_id = ANY (%s)"):
        is_at_end(("left", row["order_id"], row["option_id"]), row["left"])
    record_deliveries(shop, rows)


def record_deliveries(shop, rows):
    for row in rows("SELECT d.* FROM commerce.deliveries d JOIN commerce.orders USING (order_id)"
                    " WHERE user_id = ANY (%s) AND attempt > 0"):
        if row["subscription"] == shop.name and ("event", row["event_id"]) in shop.history.things:
            is_done = row["status"] == "delivered"
            shop.history.begin(("event", row["event_id"]), "available 0")
            shop.history.record(("event", row["event_id"]), inf, inf, equals,
                                "delivered" if is_done else f"{row['status']} {row['attempt']}")
