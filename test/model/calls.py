"""Random calls of every function that the model has: mostly sensible, some odd."""
from collections import deque
from datetime import datetime, timedelta, timezone

# The types of each function's arguments, how its answer is read, and how often it is called.
FUNCTIONS = {
    "create_user": ("text bigint", "row", 3),
    "set_user_name": ("bigint text", "row", 1),
    "erase_user": ("bigint", "row", 1),
    "create_product": ("text bigint", "row", 1),
    "create_product_option": ("bigint text bigint bigint bigint", "row", 2),
    "set_price": ("bigint bigint", "row", 2),
    "adjust_stock": ("bigint bigint text text", "row", 8),
    "charge_balance": ("bigint bigint text", "row", 10),
    "use_balance": ("bigint bigint text", "row", 5),
    "get_balance": ("bigint", "value", 2),
    "create_coupon_policy": (
        "text text bigint bigint timestamptz timestamptz bigint bigint integer interval"
        " timestamptz boolean bigint", "row", 2),
    "update_coupon_policy": (
        "bigint text bigint integer timestamptz timestamptz timestamptz", "row", 2),
    "close_coupon_policy": ("bigint", "row", 1),
    "issue_coupon": ("bigint bigint text", "row", 12),
    "issue_coupons": ("bigint bigint[]", "rows", 2),
    "use_coupon": ("bigint bigint bigint text", "row", 5),
    "revoke_coupon": ("bigint", "row", 1),
    "quote_order": ("bigint jsonb bigint", "rows", 4),
    "place_order": ("bigint jsonb bigint text bigint", "row", 20),
    "hold_order": ("bigint jsonb bigint interval text bigint", "row", 10),
    "place_orders": ("jsonb", "rows", 3),
    "pay_order": ("bigint", "row", 8),
    "cancel_order": ("bigint text boolean", "row", 6),
    "refund_order": ("bigint jsonb text boolean", "row", 12),
    "expire_orders": ("integer", "value", 2),
    "get_order": ("bigint", "value", 2),
    "popular_products": ("integer integer", "rows", 0.2),
    "purge_idempotency_keys": ("interval", "value", 0.5),
    "create_subscription": ("text text[] timestamptz", "row", 1.5),
    "drop_subscription": ("text", "value", 0.8),
    "pause_subscription": ("text timestamptz text", "row", 0.5),
    "resume_subscription": ("text", "row", 0.5),
    "claim_events": ("integer interval text", "rows", 6),
    "ack_events": ("bigint[] integer[] text", "value", 5),
    "fail_event": ("bigint integer text interval text", "row", 2),
    "release_events": ("bigint[] integer[] interval text", "value", 1),
    "retry_event": ("bigint text", "row", 1),
    "retry_events": ("text", "value", 0.3),
    "discard_event": ("bigint text", "row", 1),
    "purge_events": ("interval", "value", 0.1),
}
ODD = {
    "text": ["", "x" * 256, "x" * 1001],
    "bigint": [0, -1, 2**53, 2**63 - 1, -(2**63)],
    "integer": [0, -1],
    "interval": [timedelta(0), timedelta(seconds=-1)],
    "jsonb": [
        [], {}, "x", [1], [{"option_id": 1}], [{"option_id": 1, "quantity": 0}],
        [{"option_id": 1, "quantity": 1.5}], [{"option_id": "1x", "quantity": 1}],
        [{"option_id": 1, "quantity": 1, "price": 1}], [{"option_id": 1, "quantity": 10**9 + 1}],
        [{"option_id": 1, "quantity": 10**9}] * 2, [{"option_id": True, "quantity": 1}],
        [{"option_id": 1, "quantity": 1}] * 1001,
    ],
}


class Caller:
    """Draws calls that fit the shop as the model knows it."""

    def __init__(self, random, shop):
        self.random, self.shop = random, shop
        self.names = list(FUNCTIONS)
        self.weights = [FUNCTIONS[name][2] for name in self.names]
        self.past = deque(maxlen=100)

    def next(self):
        """A call: (function, arguments). Some were made before, as after a lost answer."""
        if self.past and self.one_in(20):
            return self.random.choice(self.past)
        function = self.random.choices(self.names, self.weights)[0]
        arguments = list(getattr(self, function)())
        if self.one_in(16) and function != "place_orders":
            self.spoil(function, arguments)
        if any(isinstance(argument, str) and argument.startswith("key") for argument in arguments):
            self.past.append((function, arguments))
        return function, arguments

    def spoil(self, function, arguments):
        types = FUNCTIONS[function][0].split()
        at = self.random.randrange(len(arguments))
        odd = ODD.get(types[at], []) + [None]
        arguments[at] = self.random.choice(odd)

    # ---- what arguments are made of ----

    def one_in(self, chances):
        return self.random.random() * chances < 1

    def an(self, rows):
        """One of these ids, now and then one that is not there."""
        if not rows or self.one_in(30):
            return self.random.choice([10**6, len(rows) + 5])
        return self.random.choice(list(rows)[-40:])

    def key(self):
        return f"key {self.random.randrange(20)}" if self.one_in(4) else None

    def some(self, value):
        return value if self.one_in(3) else None

    def near(self, seconds):
        now = datetime.now(timezone.utc)
        return now + timedelta(seconds=self.random.uniform(-seconds, seconds))

    def a_quantity(self):
        return self.random.choice([1, 1, 1, 2, 3, 5, 20])

    def some_items(self):
        items = []
        for _ in range(self.random.choice([1, 1, 1, 2, 3, 6])):
            option_id = self.an(self.shop.options)
            items.append({
                "option_id": str(option_id) if self.one_in(10) else option_id,
                "quantity": float(self.a_quantity()) if self.one_in(10) else self.a_quantity()})
        return items

    def a_coupon(self, user_id):
        own = [c["coupon_id"] for c in self.shop.coupons.values() if c["user_id"] == user_id]
        if not self.one_in(2):
            return None
        return self.random.choice(own[-5:]) if own and not self.one_in(8) else self.an(self.shop.coupons)

    def user_items_coupon(self):
        user_id = self.an(self.shop.users)
        return user_id, self.some_items(), self.a_coupon(user_id)

    # ---- calls ----

    def create_user(self):
        return "Kim", 50 + self.random.randrange(10) if self.one_in(10) else None

    def set_user_name(self):
        return self.an(self.shop.users), "Lee"

    def erase_user(self):
        return (self.an(self.shop.users),)

    def create_product(self):
        return "mug", None

    def create_product_option(self):
        price = self.random.choice([0, 1, 7, 100, 999, 2500, 10**4, 2**62])
        stock = self.random.choice([0, 1, 5, 40, 1000, 2**63 - 1 if self.one_in(5) else 10])
        return self.an(self.shop.products), "red", price, stock, None

    def set_price(self):
        return self.an(self.shop.options), self.random.choice([0, 3, 50, 1999, 10**5])

    def adjust_stock(self):
        quantity = self.random.choice([1, 10, 50, 200, -1, -7, -10**4, 2**62])
        return self.an(self.shop.options), quantity, "count", self.key()

    def charge_balance(self):
        return self.an(self.shop.users), 2**62 if self.one_in(40) else self.random.choice([1, 500, 10**4, 10**6, 10**12]), self.key()

    def use_balance(self):
        return self.an(self.shop.users), self.random.choice([1, 50, 10**4, 10**13]), self.key()

    def get_balance(self):
        return (self.an(self.shop.users),)

    def create_coupon_policy(self):
        kind = self.random.choice(["fixed", "percent"])
        value = self.random.choice([1, 10, 33, 100]) if kind == "percent" else self.random.choice([1, 500, 10**6])
        return (
            "sale", kind, value, self.random.choice([0, 1, 3, 20, 200]), self.near(1) - timedelta(seconds=1),
            self.near(5) + timedelta(seconds=10) if self.one_in(4) else None, self.some(300),
            self.random.choice([0, 0, 100, 5000]), self.random.choice([1, 2, 50]),
            self.some(timedelta(milliseconds=self.random.choice([20, 2000]))), self.some(self.near(5)),
            self.random.random() < 0.5, None)

    def update_coupon_policy(self):
        return (
            self.an(self.shop.policies), self.some("other"), self.some(self.random.choice([0, 5, 100])),
            self.some(self.random.choice([1, 3])), None, None, self.some(self.near(5)))

    def close_coupon_policy(self):
        return (self.an(self.shop.policies),)

    def issue_coupon(self):
        return self.an(self.shop.users), self.an(self.shop.policies), self.key()

    def issue_coupons(self):
        return self.an(self.shop.policies), [self.an(self.shop.users) for _ in range(self.random.randrange(6))]

    def use_coupon(self):
        coupons = list(self.shop.coupons.values())[-40:]
        if coupons and not self.one_in(4):
            coupon = self.random.choice(coupons)
            user_id, coupon_id = coupon["user_id"], coupon["coupon_id"]
        else:
            user_id, coupon_id = self.an(self.shop.users), 1
        return user_id, coupon_id, self.random.choice([1, 99, 5000]), self.key()

    def revoke_coupon(self):
        return (self.an(self.shop.coupons),)

    def quote_order(self):
        return self.user_items_coupon()

    def an_expected_total(self):
        return self.random.choice([0, 100, 200]) if self.one_in(30) else None

    def place_order(self):
        return *self.user_items_coupon(), self.key(), self.an_expected_total()

    def hold_order(self):
        ttl = timedelta(milliseconds=self.random.choice([1, 5, 100, 10**5, 10**5]))
        return *self.user_items_coupon(), ttl, self.key(), self.an_expected_total()

    def place_orders(self):
        requests = []
        for _ in range(self.random.choice([0, 1, 2, 5, 12])):
            names = ("user_id", "items", "coupon_id", "idempotency_key", "expected_total")
            request = dict(zip(names, self.place_order()))
            requests.append({n: v for n, v in request.items() if v is not None or self.one_in(9)})
        return (requests,)

    def pay_order(self):
        held = [o["order_id"] for o in self.shop.orders.values() if o["status"] == "pending"]
        return (self.random.choice(held[-20:]) if held and not self.one_in(5) else self.an(self.shop.orders),)

    def cancel_order(self):
        return self.an(self.shop.orders), self.some("changed my mind"), not self.one_in(5)

    def refund_order(self):
        order_id = self.an(self.shop.orders)
        items = [
            {"option_id": line["option_id"], "quantity": self.random.randrange(1, (line["quantity"] + 1) // 2 + 2)}
            for line in self.shop.items.get(order_id, []) if self.random.random() < 0.7]
        return order_id, items or self.some_items(), self.key(), not self.one_in(5)

    def expire_orders(self):
        return (self.random.choice([1, 3, 1000]),)

    def get_order(self):
        return (self.an(self.shop.orders),)

    def popular_products(self):
        return 3, self.random.choice([1, 5, 1000])

    def purge_idempotency_keys(self):
        return (timedelta(seconds=self.random.choice([0.1, 1, 10])),)

    # ---- events ----

    def a_subscription(self):
        return self.an_other_name() if self.one_in(40) else self.random.choice(["default", self.an_other_name()])

    def an_other_name(self):
        return self.random.choice(["a", "b", "c"])

    def a_lease(self):
        return timedelta(seconds=self.random.choice([0.001, 3600]))

    def claimed(self, name):
        """Some events of it, each with an attempt: mostly claimed ones."""
        rows = [row for row in self.shop.wanted_by(name)]
        running = [row for row in rows if row["status"] == "running"]
        rows = running if running and not self.one_in(8) else rows
        rows = self.random.sample(rows, min(len(rows), self.random.choice([1, 3, 30])))
        return [row["event_id"] for row in rows], [row["attempt"] - self.one_in(10) for row in rows]

    def one_event(self, name):
        event_ids, attempts = self.claimed(name)
        return (event_ids[0], attempts[0]) if event_ids and not self.one_in(20) else (10**6, 1)

    def create_subscription(self):
        types = [["order.paid"], ["order.cancelled", "order.refunded"], [], ["order.sent"]]
        return (
            self.random.choice(["a", "b", "c", "c", "B", "default"]), self.some(self.random.choice(types)),
            self.some(self.near(3) + timedelta(seconds=self.random.choice([-4, -4, 4]))))

    def drop_subscription(self):
        return (self.an_other_name(),)

    def pause_subscription(self):
        return self.a_subscription(), self.some(self.near(1) + timedelta(seconds=self.random.choice([-2, 2]))), self.some("away")

    def resume_subscription(self):
        return (self.a_subscription(),)

    def claim_events(self):
        return self.random.choice([1, 5, 100]), self.a_lease(), self.a_subscription()

    def ack_events(self):
        name = self.a_subscription()
        return *self.claimed(name), name

    def fail_event(self):
        name = self.a_subscription()
        return *self.one_event(name), "503", self.some(self.a_lease()), name

    def release_events(self):
        name = self.a_subscription()
        return *self.claimed(name), self.some(self.a_lease()), name

    def retry_event(self):
        name = self.a_subscription()
        delivered = [row["event_id"] for row in self.shop.wanted_by(name) if row["status"] == "delivered"]
        return self.random.choice(delivered) if delivered and self.one_in(2) else self.one_event(name)[0], name

    def retry_events(self):
        return (self.a_subscription(),)

    def discard_event(self):
        name = self.a_subscription()
        return self.one_event(name)[0], name

    def purge_events(self):
        return (self.a_lease() - timedelta(seconds=0.001),)
