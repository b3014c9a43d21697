"""The other half of the model: coupons and orders."""
from datetime import timedelta

from model import MAX, MAX_ID, Refused, Shop, made_id, must, no_null, read_items, text

MAX_HOLD = timedelta(days=7)


def discount_of(policy, amount):
    if policy["discount_type"] == "fixed":
        value = policy["discount_value"]
    else:
        value = amount * policy["discount_value"] // 100
        if policy["max_discount_amount"] is not None:
            value = min(value, policy["max_discount_amount"])
    return min(value, amount)


def shares_of(discount, totals):
    """The discount over lines of these totals, by largest remainder."""
    whole = sum(totals)
    if whole == 0:
        return [0] * len(totals)
    shares = [discount * total // whole for total in totals]
    order = sorted(range(len(totals)), key=lambda n: (-(discount * totals[n] % whole), n))
    for n in order[: discount - sum(shares)]:
        shares[n] += 1
    return shares


def earliest(*times):
    return min((time for time in times if time is not None), default=None)


class FullShop(Shop):
    # ---- coupons ----

    def create_coupon_policy(
        self, name, kind, value, quantity, issue_from, issue_until, most, least, per_user,
        valid_for, valid_until, restores, policy_id,
    ):
        no_null(name, kind, value, quantity, issue_from, least, per_user, restores)
        text(name, 200)
        must(kind in ("fixed", "percent") and value >= 1 and (kind == "fixed" or value <= 100))
        must(quantity >= 0 and least >= 0 and per_user >= 1)
        must(issue_until is None or issue_until > issue_from)
        must(most is None or most >= 1)
        must(valid_for is None or valid_for > timedelta(0))
        made_id(policy_id)
        policy_id = self.new_id(policy_id, self.policies, "policy_id")
        self.policies[policy_id] = dict(
            policy_id=policy_id, name=name, discount_type=kind, discount_value=value,
            max_discount_amount=most, min_order_amount=least, quantity=quantity,
            per_user_limit=per_user, issue_from=issue_from, issue_until=issue_until,
            valid_for=valid_for, valid_until=valid_until, restore_on_cancel=restores,
            created_at=self.now,
        )
        return self.policies[policy_id]

    def policy(self, policy_id):
        if policy_id not in self.policies:
            raise Refused("SC005", policy_id=policy_id)
        return self.policies[policy_id]

    def issued(self, policy_id, user_id=None):
        return sum(
            coupon["policy_id"] == policy_id and user_id in (None, coupon["user_id"])
            for coupon in self.coupons.values()
        )

    def update_coupon_policy(self, policy_id, name, quantity, per_user, from_, until, valid_until):
        no_null(policy_id)
        text(name, 200)
        must(quantity is None or quantity >= 0)
        must(per_user is None or per_user >= 1)
        policy = self.policy(policy_id)
        if from_ is not None or until is not None:
            end = until or policy["issue_until"]
            must(end is None or end > (from_ or policy["issue_from"]))
        issued = self.issued(policy_id)
        if quantity is not None and quantity < issued:
            raise Refused("SC205", policy_id=policy_id, requested=quantity, issued=issued)
        given = dict(
            name=name, quantity=quantity, per_user_limit=per_user, issue_from=from_,
            issue_until=until, valid_until=valid_until,
        )
        policy.update({field: value for field, value in given.items() if value is not None})
        return policy

    def close_coupon_policy(self, policy_id):
        no_null(policy_id)
        policy = self.policy(policy_id)
        policy["issue_until"] = earliest(policy["issue_until"], self.now)
        return policy

    def is_issuing(self, policy):
        if self.now < policy["issue_from"]:
            raise Refused("SC201", policy_id=policy["policy_id"])
        if policy["issue_until"] is not None and self.now >= policy["issue_until"]:
            raise Refused("SC202", policy_id=policy["policy_id"])

    def issue(self, user_id, policy):
        limit, policy_id = policy["per_user_limit"], policy["policy_id"]
        if self.issued(policy_id, user_id) >= limit:
            raise Refused("SC204", per_user_limit=limit)
        if self.issued(policy_id) >= policy["quantity"]:
            raise Refused("SC203", policy_id=policy_id)
        coupon_id = self.new_id(None, self.coupons, "coupon_id")
        lasts = policy["valid_for"] and self.now + policy["valid_for"]
        self.coupons[coupon_id] = dict(
            coupon_id=coupon_id, policy_id=policy_id, user_id=user_id, status="issued",
            issued_at=self.now, expires_at=earliest(lasts, policy["valid_until"]),
            used_at=None, order_id=None, discount_amount=None,
        )
        return self.coupons[coupon_id]

    def issue_coupon(self, user_id, policy_id, key):
        no_null(user_id, policy_id)
        text(key, 255)
        found = self.replayed("issue_coupon", user_id, key, (policy_id,))
        if found is not None:
            return found
        self.user(user_id)
        policy = self.policy(policy_id)
        self.is_issuing(policy)
        coupon = self.issue(user_id, policy)
        self.remember("issue_coupon", user_id, key, (policy_id,), coupon)
        return coupon

    def issue_coupons(self, policy_id, user_ids):
        no_null(policy_id, user_ids)
        must(None not in user_ids)
        policy = self.policy(policy_id)
        self.is_issuing(policy)
        answers, rows = self.answer or [{}] * len(user_ids), []
        for user_id, self.answer in zip(user_ids, answers):
            rows.append(self.row_or_refusal(dict(user_id=user_id), "coupon_id", lambda: (
                self.user(user_id), self.issue(user_id, policy))[1]))
        return rows

    @staticmethod
    def row_or_refusal(row, name, act):
        """A row of a batch: the id of what was made, or why not."""
        try:
            return dict(row, **{name: act()[name]}, sqlstate=None, detail=None)
        except Refused as refused:
            return dict(row, **{name: None}, sqlstate=refused.sqlstate, detail=refused.detail)

    def usable(self, coupon_id, user_id, amount):
        """The coupon's policy, if it can be used for so much."""
        coupon = self.coupons.get(coupon_id)
        if coupon is None or coupon["user_id"] != user_id:
            raise Refused("SC006", coupon_id=coupon_id)
        if coupon["status"] == "used":
            by = {"order_id": coupon["order_id"]} if coupon["order_id"] is not None else {}
            raise Refused("SC211", coupon_id=coupon_id, **by)
        if coupon["status"] == "revoked":
            raise Refused("SC214", coupon_id=coupon_id)
        if coupon["expires_at"] is not None and coupon["expires_at"] <= self.now:
            raise Refused("SC212", coupon_id=coupon_id)
        policy = self.policies[coupon["policy_id"]]
        if amount < policy["min_order_amount"]:
            raise Refused("SC213", requested=amount, min_order_amount=policy["min_order_amount"])
        return policy

    def use_coupon(self, user_id, coupon_id, amount, key):
        no_null(user_id, coupon_id, amount)
        if amount < 1:
            raise Refused("SC101", amount=amount, min=1)
        text(key, 255)
        found = self.replayed("use_coupon", user_id, key, (coupon_id, amount))
        if found is not None:
            return found
        discount = discount_of(self.usable(coupon_id, user_id, amount), amount)
        coupon = self.coupons[coupon_id]
        coupon.update(status="used", used_at=self.now, discount_amount=discount)
        self.remember("use_coupon", user_id, key, (coupon_id, amount), coupon)
        return coupon

    def revoke_coupon(self, coupon_id):
        no_null(coupon_id)
        if coupon_id not in self.coupons:
            raise Refused("SC006", coupon_id=coupon_id)
        coupon = self.coupons[coupon_id]
        if coupon["status"] == "used":
            raise Refused("SC211", coupon_id=coupon_id)
        if coupon["status"] == "revoked":
            raise Refused("SC214", coupon_id=coupon_id)
        coupon["status"] = "revoked"
        return coupon

    def give_back_coupon(self, order, was_paid):
        coupon = self.coupons.get(order["coupon_id"])
        if coupon is None:
            return
        if not was_paid or self.policies[coupon["policy_id"]]["restore_on_cancel"]:
            coupon.update(status="issued", used_at=None, order_id=None, discount_amount=None)

    # ---- prices ----

    def lines_of(self, user_id, wanted, coupon_id, takes=True):
        """The lines of an order as it would be, and its coupon's discount."""
        self.user(user_id)
        for option_id in wanted:
            self.option(option_id)
        if takes:
            self.in_stock(wanted.items())
        prices = {option_id: self.options[option_id]["price"] for option_id in wanted}
        totals = [prices[option_id] * quantity for option_id, quantity in wanted.items()]
        if sum(totals) > MAX:
            raise Refused("22003")
        discount = 0
        if coupon_id is not None:
            discount = discount_of(self.usable(coupon_id, user_id, sum(totals)), sum(totals))
        shares = shares_of(discount, totals)
        lines = [
            dict(
                line_no=number, option_id=option_id, quantity=quantity, unit_price=prices[option_id],
                product_id=self.options[option_id]["product_id"], discount_amount=share,
                refunded_quantity=0,
            )
            for number, ((option_id, quantity), share) in enumerate(zip(wanted.items(), shares), 1)
        ]
        return lines, sum(totals), discount

    def quote_order(self, user_id, items, coupon_id):
        no_null(user_id, items)
        lines = self.lines_of(user_id, read_items(items), coupon_id, takes=False)[0]
        return [
            dict(
                {name: line[name] for name in
                 ("line_no", "option_id", "quantity", "unit_price", "discount_amount")},
                line_total=line["unit_price"] * line["quantity"],
                available=self.stocks[line["option_id"]],
            )
            for line in lines
        ]

    # ---- orders ----

    def place_order(self, user_id, items, coupon_id, key, expected_total):
        return self.make("place_order", user_id, items, coupon_id, key, expected_total, None)

    def hold_order(self, user_id, items, coupon_id, ttl, key, expected_total):
        no_null(ttl)
        must(timedelta(0) < ttl <= MAX_HOLD)
        return self.make("hold_order", user_id, items, coupon_id, key, expected_total, ttl)

    def make(self, function, user_id, items, coupon_id, key, expected_total, ttl):
        no_null(user_id, items)
        text(key, 255)
        must(expected_total is None or expected_total >= 0)
        wanted = read_items(items)
        arguments = (sorted(wanted.items()), coupon_id, ttl)
        found = self.replayed(function, user_id, key, arguments)
        if found is not None:
            return found
        lines, subtotal, discount = self.lines_of(user_id, wanted, coupon_id)
        total = subtotal - discount
        if expected_total not in (None, total):
            raise Refused("SC306", expected=expected_total, total=total)
        if ttl is None:
            self.can_pay(user_id, total)

        order_id = self.new_id(None, self.orders, "order_id")
        order = dict(
            order_id=order_id, user_id=user_id, status="paid", subtotal=subtotal,
            discount=discount, total=total, refunded=0, coupon_id=coupon_id, placed_at=self.now,
            paid_at=self.now, closed_at=None, expires_at=None, cancel_reason=None,
        )
        if ttl is not None:
            order.update(status="pending", paid_at=None, expires_at=self.now + ttl)
        self.orders[order_id], self.items[order_id] = order, lines
        for line in lines:
            self.stocks[line["option_id"]] -= line["quantity"]
        if coupon_id is not None:
            self.coupons[coupon_id].update(
                status="used", used_at=self.now, order_id=order_id, discount_amount=discount
            )
        if ttl is None:
            self.move(user_id, "payment", -total, order_id)
            self.tell("order.paid", order)
        self.remember(function, user_id, key, arguments, order)
        return order

    def tell(self, event_type, order, refund=None):
        self.events.append(
            dict(order_id=order["order_id"], event_type=event_type, refund=refund, created_at=self.now)
        )

    def place_orders(self, requests):
        no_null(requests)
        answers, rows = self.answer or [{}] * len(requests), []
        names = ("user_id", "items", "coupon_id", "idempotency_key", "expected_total")
        for number, (request, self.answer) in enumerate(zip(requests, answers), 1):
            arguments = [request.get(name) for name in names]
            rows.append(self.row_or_refusal(
                dict(request_no=number), "order_id", lambda: self.place_order(*arguments)))
        return rows

    def order(self, order_id):
        if order_id not in self.orders:
            raise Refused("SC004", order_id=order_id)
        return self.orders[order_id]

    def is_one_of(self, order, *statuses):
        if order["status"] not in statuses:
            raise Refused("SC303", order_id=order["order_id"], status=order["status"])

    def pay_order(self, order_id):
        no_null(order_id)
        order = self.order(order_id)
        is_late = order["status"] == "pending" and order["expires_at"] <= self.now
        if order["status"] == "expired" or is_late:
            raise Refused("SC305", order_id=order_id)
        self.is_one_of(order, "pending")
        self.can_pay(order["user_id"], order["total"])
        self.move(order["user_id"], "payment", -order["total"], order_id)
        order.update(status="paid", paid_at=self.now)
        self.tell("order.paid", order)
        return order

    def give_back(self, order_id, quantities, restock):
        for line in self.items[order_id]:
            quantity = quantities.get(line["option_id"], 0)
            if restock:
                self.stocks[line["option_id"]] += quantity
            elif quantity:
                self.adjustments.append(dict(
                    option_id=line["option_id"], quantity=-quantity, created_at=self.now,
                    reason=f"not restocked: order {order_id}"))

    def cancel_order(self, order_id, reason, restock):
        no_null(order_id, restock)
        text(reason, 1000)
        order = self.order(order_id)
        self.is_one_of(order, "pending", "paid")
        was_paid = order["status"] == "paid"
        quantities = {line["option_id"]: line["quantity"] for line in self.items[order_id]}
        if was_paid:
            self.can_add(order["user_id"], order["total"])
        if restock:
            self.fits(quantities.items())
        self.give_back(order_id, quantities, restock)
        self.give_back_coupon(order, was_paid)
        order.update(status="cancelled", closed_at=self.now, cancel_reason=reason)
        if was_paid:
            self.move(order["user_id"], "refund", order["total"], order_id)
            order["refunded"] = order["total"]
            for line in self.items[order_id]:
                line["refunded_quantity"] = line["quantity"]
            self.tell("order.cancelled", order)
        return order

    def refund_order(self, order_id, items, key, restock):
        no_null(order_id, items, restock)
        text(key, 255)
        wanted = read_items(items)
        order = self.order(order_id)
        arguments = (order_id, sorted(wanted.items()), restock)
        found = self.replayed("refund_order", order["user_id"], key, arguments)
        if found is not None:
            return found
        self.is_one_of(order, "paid", "partially_refunded")
        lines = {line["option_id"]: line for line in self.items[order_id]}
        left = {
            option_id: line["quantity"] - line["refunded_quantity"] for option_id, line in lines.items()
        }
        excess = [
            dict(option_id=option_id, requested=quantity, available=left.get(option_id, 0))
            for option_id, quantity in wanted.items() if quantity > left.get(option_id, 0)
        ]
        if excess:
            raise Refused("SC304", order_id=order_id, excess=excess)

        def worth(line, quantity):
            net = line["unit_price"] * line["quantity"] - line["discount_amount"]
            return net * quantity // line["quantity"]

        parts = []
        for option_id, quantity in wanted.items():
            line = lines[option_id]
            before, after = line["refunded_quantity"], line["refunded_quantity"] + quantity
            parts.append(dict(
                option_id=option_id, quantity=quantity, amount=worth(line, after) - worth(line, before)))
        amount = sum(part["amount"] for part in parts)
        self.can_add(order["user_id"], amount)
        if restock:
            self.fits(wanted.items())
        self.give_back(order_id, wanted, restock)
        for option_id, quantity in wanted.items():
            lines[option_id]["refunded_quantity"] += quantity
        self.move(order["user_id"], "refund", amount, order_id)
        order["refunded"] += amount
        order["status"] = "partially_refunded"
        if all(line["refunded_quantity"] == line["quantity"] for line in lines.values()):
            order.update(status="refunded", closed_at=self.now)
            self.give_back_coupon(order, True)
        self.tell("order.refunded", order, dict(
            amount=amount, restock=restock, items=parts))
        self.remember("refund_order", order["user_id"], key, arguments, order)
        return order

    def expire_orders(self, batch_size):
        no_null(batch_size)
        must(batch_size >= 1)
        due = sorted(
            (order for order in self.orders.values()
             if order["status"] == "pending" and order["expires_at"] <= self.now),
            key=lambda order: order["expires_at"])
        expired = 0
        for order in due:
            lines = self.items[order["order_id"]]
            quantities = {line["option_id"]: line["quantity"] for line in lines}
            try:
                self.fits(quantities.items())
            except Refused:
                continue  # it stays as it is, and holds up no other
            if expired == batch_size:
                break
            self.give_back(order["order_id"], quantities, True)
            self.give_back_coupon(order, False)
            order.update(status="expired", closed_at=self.now)
            expired += 1
        return expired

    def get_order(self, order_id):
        no_null(order_id)
        order = self.order(order_id)
        return dict(order, items=self.items[order_id])

    def popular_products(self, days, max_results):
        no_null(days, max_results)
        must(days >= 1 and max_results >= 1)
        sold = {}
        for order in self.orders.values():
            if order["paid_at"] is None or order["paid_at"] < self.now - timedelta(days=days):
                continue
            for line in self.items[order["order_id"]]:
                left = line["quantity"] - line["refunded_quantity"]
                sold[line["product_id"]] = sold.get(line["product_id"], 0) + left
        best = sorted((-quantity, product_id) for product_id, quantity in sold.items() if quantity)
        return [
            dict(product_id=product_id, name=self.products[product_id]["name"], quantity=-quantity)
            for quantity, product_id in best[:max_results]
        ]
