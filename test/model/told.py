"""Calls that several sessions make of one shop, and what each answer tells of the things that
they share: see history.py.
"""
import threading
import time

from psycopg.types.json import Jsonb

from history import History, add, equals, go, has, is_one_of, is_short, stands_for, stands_for_other

COUPON_STATES = {"SC211": ("used",), "SC214": ("revoked",)}


class Shop:
    """What all sessions know."""

    def __init__(self, connection, chance):
        self.lock, self.history = threading.Lock(), History()
        self.orders, self.coupons, self.claimed, self.failures = {}, {}, [], []

        def one(query, *arguments):
            return next(iter(connection.execute(query, arguments).fetchone().values()))

        self.name = f"s{time.time_ns()}"
        self.users = [one("SELECT user_id FROM commerce.create_user('u')") for _ in range(4)]
        product = one("SELECT product_id FROM commerce.create_product('p')")
        self.prices = {}
        for price in (0, 7, 100):
            stock = chance.choice([3, 30, 100])
            option = one("SELECT option_id FROM commerce.create_product_option(%s, 'o', %s, %s)", product, price, stock)
            self.prices[option] = price
            self.history.begin(("stock", option), stock)
            self.history.begin(("adjusted", option), 0)
        self.policies = []
        for quantity, limit in ((chance.choice([5, 20]), 100), (1000, 3)):
            policy = one("SELECT policy_id FROM commerce.create_coupon_policy('c', 'fixed', 10, %s,"
                         " per_user_limit => %s)", quantity, limit)
            self.policies.append(policy)
            self.history.begin(("quota", policy), quantity)
            for user in self.users:
                self.history.begin(("limit", policy, user), limit)
        connection.execute("SELECT commerce.create_subscription(%s)", [self.name])

    def some(self, chance, rows):
        with self.lock:
            return chance.choice(list(rows)[-12:]) if rows else 1


class Caller:
    """A call: what is sent, and what its answer tells of the things that it shares."""

    def __init__(self, shop, chance):
        self.shop, self.chance = shop, chance

    def draw(self):
        names = self.names()
        return self.chance.choices(list(names), names.values())[0]()

    def names(self):
        return {
            self.place: 20, self.hold: 8, self.pay: 8, self.cancel: 8, self.refund: 8, self.charge: 8, self.use: 5,
            self.issue: 8, self.issue_many: 2, self.use_coupon: 4, self.revoke: 2, self.adjust: 5, self.spread: 1,
            self.quote: 4, self.batch: 3, self.expire: 2, self.claim: 6, self.ack: 6, self.release: 1, self.balance: 3}

    def user(self):
        return self.chance.choice(self.shop.users)

    def key(self):
        return f"{self.shop.name} {self.chance.randrange(6)}" if self.chance.random() < 0.3 else None

    def items(self):
        options = self.chance.sample(list(self.shop.prices), self.chance.choice([1, 1, 2]))
        return {option: self.chance.choice([1, 1, 2, 5]) for option in options}

    @staticmethod
    def as_json(items):
        return Jsonb([dict(option_id=option, quantity=quantity) for option, quantity in items.items()])

    def coupon_of(self, user):
        own = [coupon for coupon, owner in list(self.shop.coupons.items()) if owner == user]
        return self.shop.some(self.chance, own) if own and self.chance.random() < 0.4 else None

    # Each yields what is to be recorded: (thing, act, arguments).

    def place(self, hold=False):
        user, items, key = self.user(), self.items(), self.key()
        coupon = self.coupon_of(user)
        name = "hold_order" if hold else "place_order"
        ttl = [f"{self.chance.choice([30, 10**6])} ms"] if hold else []

        def tell(row, error):
            return self.told_of_order(name, user, items, coupon, key, ttl, row, error)

        places = ", ".join(["%s"] * (4 + len(ttl)))
        return f"SELECT * FROM commerce.{name}({places})", [user, self.as_json(items), coupon, *ttl, key], tell

    def hold(self):
        return self.place(hold=True)

    def told_of_order(self, name, user, items, coupon, key, ttl, rows, error):
        is_paid = name == "place_order"
        if key is not None:
            arguments = (tuple(sorted(items.items())), coupon, tuple(ttl))
            if error and error[0] == "SC401":
                yield ("key", name, user, key), stands_for_other, arguments
                return
            if not error:
                yield ("key", name, user, key), stands_for, arguments, rows[0]["order_id"]
        if not error:
            order, total = rows[0]["order_id"], rows[0]["total"]
            self.shop.orders[order] = dict(user=user, items=items, coupon=coupon, total=total, by=self)
            yield ("once", order), ("made", user, items, coupon, total, is_paid)
            return
        yield from self.told_of_refusal(user, items, coupon, error)

    def told_of_refusal(self, user, items, coupon, error):
        sqlstate, detail = error
        if sqlstate == "SC301":
            short = {row["option_id"]: row for row in detail["shortages"]}
            for option, row in short.items():
                yield ("stock", option), is_short, row["requested"], row["available"]
            items = {option: quantity for option, quantity in items.items() if option not in short}
        for option, quantity in items.items():
            yield ("stock", option), has, quantity
        if sqlstate in COUPON_STATES:
            yield ("coupon", coupon), is_one_of, COUPON_STATES[sqlstate]
        elif sqlstate in ("SC102", "SC103"):
            if coupon is not None:
                yield ("coupon", coupon), is_one_of, ("issued",)
            yield from self.told_of_account(user, error)

    @staticmethod
    def told_of_account(user, error):
        sqlstate, detail = error
        if sqlstate == "SC102":
            yield ("balance", user), equals, None
        elif sqlstate == "SC103":
            yield ("balance", user), is_short, detail["requested"], detail["available"]

    def orders(self):
        """What this caller may pay, cancel and refund."""
        with self.shop.lock:
            return dict(self.shop.orders)

    def an_order(self):
        return self.shop.some(self.chance, self.orders())

    def own_key(self):
        """A key that no other call has, where one has no other use."""
        return None

    def on_order(self, query, arguments, done, refused):
        order = arguments[0]

        def tell(rows, error):
            known = self.shop.orders.get(order)
            if known is None:
                return
            if error and error[0] == "SC004":
                yield ("order", order), equals, None
            elif error and error[0] == "SC303":
                yield ("order", order), is_one_of, (error[1]["status"],)
            elif error:
                yield from refused(known, error)
            else:
                yield from done(known, rows[0])

        return query, arguments, tell

    def pay(self):
        order = self.an_order()

        def done(known, _row):
            yield ("order", order), go, ("pending",), "paid"
            yield ("balance", known["user"]), has, known["total"]
            if known["total"]:
                yield ("balance", known["user"]), add, -known["total"]
            yield ("told", order), add, 1

        def refused(known, error):
            if error[0] == "SC305":
                yield ("order", order), is_one_of, ("pending", "expired")
            else:
                yield ("order", order), is_one_of, ("pending",)
                yield from self.told_of_account(known["user"], error)

        return self.on_order("SELECT * FROM commerce.pay_order(%s)", [order], done, refused)

    def cancel(self):
        order = self.an_order()

        def done(known, row):
            was_paid = row["paid_at"] is not None
            yield ("order", order), go, ("paid" if was_paid else "pending",), "cancelled"
            for option, quantity in known["items"].items():
                yield ("stock", option), add, quantity
                if was_paid:
                    yield ("left", order, option), add, -quantity
            if known["coupon"] is not None:
                yield ("coupon", known["coupon"]), go, ("used",), "issued"
            if was_paid and known["total"]:
                yield ("balance", known["user"]), add, known["total"]
            if was_paid:
                yield ("told", order), add, 1

        return self.on_order("SELECT * FROM commerce.cancel_order(%s)", [order], done, lambda *_: [])

    def refund(self):
        without = [order for order, known in self.orders().items() if known["coupon"] is None]
        order = self.shop.some(self.chance, without)
        items = self.shop.orders[order]["items"] if order in self.shop.orders else {}
        items = {option: self.chance.choice([1, 2]) for option in items} or self.items()

        def done(known, row):
            yield ("order", order), go, ("paid", "partially_refunded"), row["status"]
            amount = sum(self.shop.prices[option] * quantity for option, quantity in items.items())
            if amount:
                yield ("balance", known["user"]), add, amount
            for option, quantity in items.items():
                yield ("stock", option), add, quantity
                yield ("left", order, option), add, -quantity
            yield ("told", order), add, 1

        def refused(_known, error):
            if error[0] == "SC304":
                for row in error[1]["excess"]:
                    yield ("left", order, row["option_id"]), is_short, row["requested"], row["available"]

        return self.on_order("SELECT * FROM commerce.refund_order(%s, %s, %s)",
                             [order, self.as_json(items), self.own_key()], done, refused)

    def charge(self):
        user, amount, key = self.user(), self.chance.choice([1, 50, 500]), self.key()
        return self.move("charge_balance", user, amount, amount, key)

    def use(self):
        user, amount, key = self.user(), self.chance.choice([1, 20, 300]), self.key()
        return self.move("use_balance", user, amount, -amount, key)

    def move(self, name, user, amount, moved, key):
        def tell(rows, error):
            if error and error[0] == "SC401":
                yield ("key", name, user, key), stands_for_other, amount
            elif error:
                yield from self.told_of_account(user, error)
            else:
                entry = (user, rows[0]["entry_no"])
                if key is not None:
                    yield ("key", name, user, key), stands_for, amount, entry
                yield ("once", entry), ("moved", user, moved, rows[0]["balance_after"])

        return f"SELECT * FROM commerce.{name}(%s, %s, %s)", [user, amount, key], tell

    def balance(self):
        user = self.user()

        def tell(rows, error):
            yield ("balance", user), equals, None if error else rows[0]["get_balance"]

        return "SELECT commerce.get_balance(%s)", [user], tell

    def told_of_issue(self, user, policy, coupon, sqlstate):
        if sqlstate == "SC204":
            yield ("limit", policy, user), equals, 0
        elif sqlstate == "SC203":
            yield ("limit", policy, user), has, 1
            yield ("quota", policy), equals, 0
        elif coupon is not None:
            yield ("once", ("coupon", coupon)), ("issued", user, policy, coupon)
            self.shop.coupons[coupon] = user

    def issue(self):
        user, policy, key = self.user(), self.chance.choice(self.shop.policies), self.key()

        def tell(rows, error):
            if error and error[0] == "SC401":
                yield ("key", "issue_coupon", user, key), stands_for_other, policy
                return
            if key is not None and not error:
                yield ("key", "issue_coupon", user, key), stands_for, policy, rows[0]["coupon_id"]
            yield from self.told_of_issue(user, policy, None if error else rows[0]["coupon_id"], error and error[0])

        return "SELECT * FROM commerce.issue_coupon(%s, %s, %s)", [user, policy, key], tell

    def issue_many(self):
        policy = self.chance.choice(self.shop.policies)
        users = [self.user() for _ in range(3)]

        def tell(rows, error):
            for row in rows or []:
                yield from self.told_of_issue(row["user_id"], policy, row["coupon_id"], row["sqlstate"])

        return "SELECT * FROM commerce.issue_coupons(%s, %s)", [policy, users], tell

    def on_coupon(self, query, coupon, arguments, state):
        def tell(_rows, error):
            if coupon not in self.shop.coupons:
                return
            if not error:
                yield ("coupon", coupon), go, ("issued",), state
            elif error[0] in COUPON_STATES:
                yield ("coupon", coupon), is_one_of, COUPON_STATES[error[0]]

        return query, arguments, tell

    def use_coupon(self):
        coupon = self.shop.some(self.chance, self.shop.coupons)
        user = self.shop.coupons.get(coupon, 1)
        return self.on_coupon("SELECT * FROM commerce.use_coupon(%s, %s, 50)", coupon, [user, coupon], "used")

    def revoke(self):
        coupon = self.shop.some(self.chance, self.shop.coupons)
        return self.on_coupon("SELECT * FROM commerce.revoke_coupon(%s)", coupon, [coupon], "revoked")

    def adjust(self):
        option, quantity = self.chance.choice(list(self.shop.prices)), self.chance.choice([1, 10, 30, -1, -20])

        def tell(rows, error):
            if not error:
                yield ("stock", option), equals, rows[0]["available"] - quantity
                yield ("stock", option), add, quantity
                yield ("adjusted", option), add, 1
            elif error[0] == "SC301":
                row = error[1]["shortages"][0]
                yield ("stock", option), is_short, row["requested"], row["available"]

        return "SELECT * FROM commerce.adjust_stock(%s, %s, 'x', %s)", [option, quantity, self.own_key()], tell

    def spread(self):
        option = self.chance.choice(list(self.shop.prices))
        return "SELECT commerce.spread_stock(%s, %s)", [option, self.chance.choice([1, 4, 16])], lambda *_: []

    def quote(self):
        user, items = self.user(), self.items()

        def tell(rows, error):
            for row in rows or []:
                yield ("stock", row["option_id"]), equals, row["available"]

        return "SELECT * FROM commerce.quote_order(%s, %s)", [user, self.as_json(items)], tell

    def batch(self):
        requests = [(self.user(), self.items()) for _ in range(3)]

        def tell(rows, error):
            for (user, items), row in zip(requests, rows or []):
                if row["sqlstate"] is None:
                    order, total = row["order_id"], sum(self.shop.prices[o] * q for o, q in items.items())
                    self.shop.orders[order] = dict(user=user, items=items, coupon=None, total=total, by=self)
                    yield ("once", order), ("made", user, items, None, total, True)
                else:
                    yield from self.told_of_refusal(user, items, None, (row["sqlstate"], row["detail"]))

        return "SELECT * FROM commerce.place_orders(%s)", [Jsonb([
            dict(user_id=user, items=[dict(option_id=option, quantity=quantity) for option, quantity in items.items()])
            for user, items in requests])], tell

    def expire(self):
        def tell(_rows, _error):
            for option in self.shop.prices:  # any of them may be changed
                yield ("stock", option), add, 0

        return "SELECT commerce.expire_orders(3)", [], tell

    def claim(self):
        def tell(rows, error):
            for row in rows or []:
                event, attempt = row["event_id"], row["attempt"]
                yield ("event", event), go, (f"available {attempt - 1}",), f"running {attempt}"
                yield ("head", row["order_id"]), equals, event
                self.shop.claimed.append((event, attempt, row["order_id"]))

        return "SELECT * FROM commerce.claim_events(%s, '1 hour', %s)", [self.chance.choice([1, 5, 50]), self.shop.name], tell

    def of_claimed(self, name, state):
        with self.shop.lock:
            events = [self.shop.claimed.pop() for _ in range(min(len(self.shop.claimed), 5))]

        def tell(rows, error):
            if error:
                self.shop.claimed.extend(events)
                return
            if next(iter(rows[0].values())) != len(events):
                self.shop.failures.append(f"{name} of {events}: {rows}")
            for event, attempt, order in events:
                yield ("event", event), go, (f"running {attempt}",), state.format(attempt)
                if state == "delivered":
                    yield ("head", order), "next", event

        ids, attempts = [event[0] for event in events], [event[1] for event in events]
        return f"SELECT commerce.{name}(%s, %s, subscription => %s)", [ids, attempts, self.shop.name], tell

    def ack(self):
        return self.of_claimed("ack_events", "delivered")

    def release(self):
        return self.of_claimed("release_events", "available {}")
