"""What a shop answers, by the contract alone: doc/reference.md. No speed, no SQL.

Each function of the API is a method of its name, with the same arguments by position:
strings, numbers, times or None. It returns a row as a dict, a list of rows, or a single
value; or raises Refused, before it has changed anything. Ids that the database makes are
not predicted, but learnt from its answer.
"""
from datetime import timedelta

MAX_ID = 2**53 - 1
MAX = 2**63 - 1
MAX_QUANTITY = 10**9


class Refused(Exception):
    """A call that is refused: its SQLSTATE and what DETAIL holds."""

    def __init__(self, sqlstate, **detail):
        super().__init__(sqlstate, detail)
        self.sqlstate, self.detail = sqlstate, detail


# ---- arguments ----


def no_null(*values):
    if any(value is None for value in values):
        raise Refused("22004")


def must(holds):
    if not holds:
        raise Refused("22023")


def text(value, most):
    must(value is None or 1 <= len(value) <= most)


def made_id(value):
    must(value is None or 1 <= value <= MAX_ID)


def read_items(items, most_lines=1000):
    """items as {option_id: quantity}, in order of first appearance."""

    def whole(value, low, high):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and value == int(value) and low <= value <= high

    if not isinstance(items, list) or not 1 <= len(items) <= most_lines:
        raise Refused("SC302")
    merged = {}
    for number, item in enumerate(items, 1):
        bad = Refused("SC302", element=number)
        if not isinstance(item, dict) or set(item) != {"option_id", "quantity"}:
            raise bad
        option, quantity = item["option_id"], item["quantity"]
        if isinstance(option, str) and option.isascii() and option.isdigit():
            option = int(option)
        if not whole(option, 1, MAX) or not whole(quantity, 1, MAX_QUANTITY):
            raise bad
        merged[int(option)] = merged.get(int(option), 0) + int(quantity)
        if merged[int(option)] > MAX_QUANTITY:
            raise bad
    return merged


class Shop:
    """Tables as {key: row}, but for what only grows, which is a list."""

    def __init__(self):
        self.max_charge = 10**12
        self.users, self.balances, self.history = {}, {}, []
        self.policies, self.coupons = {}, {}
        self.products, self.options, self.stocks, self.adjustments = {}, {}, {}, []
        self.orders, self.items, self.events = {}, {}, []
        self.keys = {}
        self.now, self.answer = None, None

    def call(self, function, now, arguments, answer=None):
        """The answer to a call at that time; answer is the database's, for new_id."""
        self.now, self.answer = now, answer
        return getattr(self, function)(*arguments)

    def new_id(self, given, rows, name):
        """An id that was given, or the one that the database made."""
        if given is None:
            given = self.answer[name] if self.answer else 0
            if given in rows or not 1 <= given <= MAX_ID:
                raise AssertionError(f"{name} {given} is not a new one")
        elif given in rows:
            raise Refused("23505")
        return given

    # ---- idempotency ----

    def replayed(self, function, user_id, key, arguments):
        """What the key stands for already, or None."""
        if key is None or (function, user_id, key) not in self.keys:
            return None
        used_for, found = self.keys[function, user_id, key][:2]
        if used_for != arguments:
            raise Refused("SC401", idempotency_key=key)
        return found

    def remember(self, function, user_id, key, arguments, found):
        if key is not None:
            self.keys[function, user_id, key] = (arguments, found, self.now)

    def purge_idempotency_keys(self, older_than):
        no_null(older_than)
        must(older_than >= timedelta(0))
        gone = [k for k, (_, _, made) in self.keys.items() if made < self.now - older_than]
        for key in gone:
            del self.keys[key]
        return len(gone)

    # ---- catalogue ----

    def user(self, user_id):
        if user_id not in self.users:
            raise Refused("SC001", user_id=user_id)
        return self.users[user_id]

    def create_user(self, name, user_id):
        no_null(name)
        text(name, 200)
        made_id(user_id)
        user_id = self.new_id(user_id, self.users, "user_id")
        self.users[user_id] = dict(user_id=user_id, name=name, created_at=self.now, erased_at=None)
        return self.users[user_id]

    def set_user_name(self, user_id, name):
        no_null(user_id, name)
        text(name, 200)
        user = self.user(user_id)
        if user["erased_at"] is None:
            user["name"] = name
        return user

    def erase_user(self, user_id):
        no_null(user_id)
        user = self.user(user_id)
        if user["erased_at"] is None:
            user.update(name="(erased)", erased_at=self.now)
        for order in self.orders.values():
            if order["user_id"] == user_id:
                order["cancel_reason"] = None
        self.keys = {key: value for key, value in self.keys.items() if key[1] != user_id}
        return user

    def create_product(self, name, product_id):
        no_null(name)
        text(name, 200)
        made_id(product_id)
        product_id = self.new_id(product_id, self.products, "product_id")
        self.products[product_id] = dict(product_id=product_id, name=name, created_at=self.now)
        return self.products[product_id]

    def create_product_option(self, product_id, name, price, stock, option_id):
        no_null(product_id, name, price, stock)
        text(name, 200)
        must(price >= 0 and stock >= 0)
        made_id(option_id)
        if product_id not in self.products:
            raise Refused("SC002", product_id=product_id)
        option_id = self.new_id(option_id, self.options, "option_id")
        self.options[option_id] = dict(
            option_id=option_id, product_id=product_id, name=name, price=price, created_at=self.now
        )
        self.stocks[option_id] = 0
        if stock:
            self.change_stock(option_id, stock, "initial")
        return self.options[option_id]

    def option(self, option_id):
        if option_id not in self.options:
            raise Refused("SC003", option_id=option_id)
        return self.options[option_id]

    def set_price(self, option_id, price):
        no_null(option_id, price)
        must(price >= 0)
        option = self.option(option_id)
        option["price"] = price
        return option

    def change_stock(self, option_id, quantity, reason):
        self.stocks[option_id] += quantity
        self.adjustments.append(
            dict(option_id=option_id, quantity=quantity, reason=reason, created_at=self.now)
        )

    def stock_row(self, option_id):
        option = self.options[option_id]
        return dict(
            option_id=option_id, product_id=option["product_id"], available=self.stocks[option_id]
        )

    def adjust_stock(self, option_id, quantity, reason, key):
        no_null(option_id, quantity, reason)
        text(reason, 1000)
        text(key, 255)
        arguments = (option_id, quantity, reason)
        if self.replayed("adjust_stock", 0, key, arguments) is not None:
            return self.stock_row(option_id)
        self.option(option_id)
        self.in_stock([(option_id, -quantity)])
        self.fits([(option_id, quantity)])
        self.change_stock(option_id, quantity, reason)
        self.remember("adjust_stock", 0, key, arguments, option_id)
        return self.stock_row(option_id)

    def in_stock(self, wanted):
        short = [
            dict(option_id=option_id, requested=quantity, available=self.stocks[option_id])
            for option_id, quantity in wanted
            if quantity > self.stocks[option_id]
        ]
        if short:
            raise Refused("SC301", shortages=short)

    def fits(self, returned):
        if any(self.stocks[option_id] + quantity > MAX for option_id, quantity in returned):
            raise Refused("22003")

    # ---- balance ----

    def account(self, user_id):
        if user_id not in self.balances:
            raise Refused("SC102", user_id=user_id)
        return self.balances[user_id]

    def can_add(self, user_id, amount):
        if user_id in self.balances and self.balances[user_id]["balance"] + amount > MAX:
            raise Refused("SC104", user_id=user_id)

    def can_pay(self, user_id, amount):
        available = self.account(user_id)["balance"]
        if available < amount:
            raise Refused("SC103", requested=amount, available=available)

    def move(self, user_id, kind, amount, order_id=None):
        """An entry of the user's history, unless nothing moves."""
        if amount == 0:
            return None
        account = self.balances.setdefault(
            user_id, dict(user_id=user_id, balance=0, entry_count=0, updated_at=self.now)
        )
        account["balance"] += amount
        account["entry_count"] += 1
        account["updated_at"] = self.now
        entry = dict(
            user_id=user_id,
            entry_no=account["entry_count"],
            type=kind,
            amount=amount,
            balance_after=account["balance"],
            order_id=order_id,
            created_at=self.now,
        )
        self.history.append(entry)
        return entry

    def charge_balance(self, user_id, amount, key):
        no_null(user_id, amount)
        if not 1 <= amount <= self.max_charge:
            raise Refused("SC101", amount=amount, min=1, max=self.max_charge)
        text(key, 255)
        found = self.replayed("charge_balance", user_id, key, (amount,))
        if found is not None:
            return found
        self.user(user_id)
        self.can_add(user_id, amount)
        entry = self.move(user_id, "charge", amount)
        self.remember("charge_balance", user_id, key, (amount,), entry)
        return entry

    def use_balance(self, user_id, amount, key):
        no_null(user_id, amount)
        if amount < 1:
            raise Refused("SC101", amount=amount, min=1)
        text(key, 255)
        found = self.replayed("use_balance", user_id, key, (amount,))
        if found is not None:
            return found
        self.can_pay(user_id, amount)
        entry = self.move(user_id, "use", -amount)
        self.remember("use_balance", user_id, key, (amount,), entry)
        return entry

    def get_balance(self, user_id):
        no_null(user_id)
        return self.account(user_id)["balance"]
