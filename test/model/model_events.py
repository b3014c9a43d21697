"""The last part of the model: subscriptions, and who is told what.

Leases and pauses go by the clock, not by when the transaction began. So nobody calls
close to the end of one: until() says how long to wait before a call.
"""
import re
from datetime import datetime, timedelta, timezone

from model import Refused, must, no_null, text
from model_orders import FullShop

TYPES = ("order.paid", "order.cancelled", "order.refunded")
FINISHED = ("delivered", "discarded")
MAX_FAILURES = 10
MAX_DELAY = timedelta(hours=12)
AT_ONCE = datetime(1, 1, 1, tzinfo=timezone.utc)
LAPSED = "the lease lapsed"
CLOSE = timedelta(milliseconds=50)


class WholeShop(FullShop):
    def __init__(self, look):
        """look(subscription, event_id) is the delivery as the database has it."""
        super().__init__()
        self.look = look
        self.subscriptions, self.deliveries, self.unnamed = {}, {}, []
        self.subscribe("default", None, AT_ONCE)

    def subscribe(self, name, types, since):
        self.subscriptions[name] = dict(
            subscription=name, event_types=types, paused=False, paused_until=None, pause_reason=None)
        for event in self.events:
            if since is not None and event["created_at"] >= since:
                self.deliver(name, event)

    def tell(self, event_type, order, refund=None):
        super().tell(event_type, order, refund)
        self.unnamed.append(self.events[-1])

    def learn(self, event_ids):
        """The ids of what was told since."""
        if len(event_ids) != len(self.unnamed):
            raise AssertionError(f"{len(event_ids)} events, not {len(self.unnamed)}")
        for event, event["event_id"] in zip(self.unnamed, event_ids):
            for name in self.subscriptions:
                self.deliver(name, event)
        self.unnamed = []

    def deliver(self, name, event):
        types = self.subscriptions[name]["event_types"]
        if types is None or event["event_type"] in types:
            self.deliveries[name, event["event_id"]] = dict(
                subscription=name, event_id=event["event_id"], order_id=event["order_id"],
                event_type=event["event_type"], status="available", attempt=0, failures=0, last_error=None,
                due=AT_ONCE, delivered=None)

    def until(self, now):
        """How long it takes until no lease, pause or delay is about to end."""
        ends = [row["due"] for row in self.deliveries.values() if row["status"] in ("available", "running")]
        ends += [row["paused_until"] for row in self.subscriptions.values() if row["paused_until"] is not None]
        end = now
        for time in sorted(ends):
            if end - CLOSE < time < end + CLOSE:
                end = time + CLOSE
        return end - now

    # ---- subscriptions ----

    def subscription(self, name):
        if name not in self.subscriptions:
            raise Refused("SC008", **{"subscription": name} if len(name) < 64 else {})
        return self.subscriptions[name]

    def create_subscription(self, name, types, start_from):
        no_null(name)
        must(re.fullmatch("[a-z0-9_-]{1,63}", name))
        must(types is None or types and all(one in TYPES for one in types))
        must(start_from is None or start_from <= self.now)
        if name in self.subscriptions:
            raise Refused("23505")
        self.subscribe(name, types, start_from)
        return self.shown_subscription(self.subscriptions[name])

    def drop_subscription(self, name):
        no_null(name)
        self.subscription(name)
        del self.subscriptions[name]
        gone = [key for key in self.deliveries if key[0] == name]
        return sum(self.deliveries.pop(key)["status"] not in FINISHED for key in gone)

    def pause_subscription(self, name, until, reason):
        no_null(name)
        must(until is None or until > self.now)
        text(reason, 1000)
        row = self.subscription(name)
        row.update(paused=True, paused_until=until, pause_reason=reason)
        return self.shown_subscription(row)

    def resume_subscription(self, name):
        no_null(name)
        row = self.subscription(name)
        row["paused"] = False
        return self.shown_subscription(row)

    def is_paused(self, row):
        return row["paused"] and (row["paused_until"] is None or row["paused_until"] > self.now)

    def shown_subscription(self, row):
        return dict(
            subscription=row["subscription"], event_types=row["event_types"],
            **{name: row[name] if self.is_paused(row) else None for name in ("paused_until", "pause_reason")})

    # ---- deliveries ----

    def wanted_by(self, name):
        return [row for key, row in sorted(self.deliveries.items()) if key[0] == name]

    def unfinished(self, name):
        """The deliveries of each order that are not finished, oldest first."""
        orders = {}
        for row in self.wanted_by(name):
            if row["status"] not in FINISHED:
                orders.setdefault(row["order_id"], []).append(row)
        return orders.values()

    def claim_events(self, batch_size, lease, name):
        no_null(batch_size, lease, name)
        must(1 <= batch_size <= 10000)
        must(timedelta(0) < lease <= timedelta(days=1))
        if self.is_paused(self.subscription(name)):
            return []
        answer = {row["event_id"]: row["attempt"] for row in self.answer or []}
        claimed = []
        for row, *later in self.unfinished(name):
            is_due = row["status"] in ("available", "running") and row["due"] <= self.now
            if not is_due or any(self.is_leased(other) for other in later):
                continue
            if row["status"] == "running" and row["failures"] + 1 == MAX_FAILURES:
                self.lapse(row, must=len(answer) < batch_size)
            elif row["event_id"] in answer:
                claimed.append(row)
            # It may be left when there are more, or when a lease after it has yet to end.
            elif len(answer) < batch_size and all(other["status"] != "running" for other in later):
                raise AssertionError(f"{row} can be claimed")
        if len(claimed) != len(answer):
            raise AssertionError(f"only {claimed} can be claimed")
        claimed.sort(key=lambda row: list(answer).index(row["event_id"]))
        for row in claimed:
            if row["status"] == "running":
                row.update(failures=row["failures"] + 1, last_error=LAPSED)
            row.update(status="running", attempt=row["attempt"] + 1, due=self.now + lease)
        for row in self.wanted_by(name):
            if row["status"] == "running" and row["due"] <= self.now:
                self.lapse(row)
        return [
            dict({field: row[field] for field in ("event_id", "event_type", "order_id", "attempt")},
                 payload=self.payload(row["event_id"]))
            for row in claimed]

    def lapse(self, row, must=False):
        """A lease that has lapsed is over when a claim comes by, which this one need not have."""
        if must or self.look(row["subscription"], row["event_id"])["status"] != "running":
            row.update(failures=row["failures"] + 1, last_error=LAPSED, status="available", due=AT_ONCE)
            if row["failures"] == MAX_FAILURES:
                row["status"] = "dead"

    def payload(self, event_id):
        event = next(event for event in self.events if event["event_id"] == event_id)
        data = dict(event_id=event_id, order_id=event["order_id"], order=self.get_order(event["order_id"]))
        if event["refund"] is not None:
            data["refund"] = event["refund"]
        return dict(type=event["event_type"], timestamp=event["created_at"], data=data)

    def leased(self, name, event_ids, attempts):
        """Of these events, those that were claimed so and nobody claimed since."""
        no_null(name)
        is_none = event_ids is None or attempts is None
        must(is_none or len(event_ids) == len(attempts))
        self.subscription(name)
        for event_id, attempt in [] if is_none else zip(event_ids, attempts):
            row = self.deliveries.get((name, event_id))
            if row is not None and (row["status"], row["attempt"]) == ("running", attempt):
                yield row

    def ack_events(self, event_ids, attempts, name):
        rows = list(self.leased(name, event_ids, attempts))
        for row in rows:
            row.update(status="delivered", delivered=self.now)
        return len(rows)

    def release_events(self, event_ids, attempts, retry_after, name):
        must(retry_after is None or retry_after >= timedelta(0))
        rows = list(self.leased(name, event_ids, attempts))
        for row in rows:
            row.update(status="available", due=self.now + min(retry_after, MAX_DELAY) if retry_after else AT_ONCE)
        return len(rows)

    def delivery(self, event_id, name):
        self.subscription(name)
        if (name, event_id) not in self.deliveries:
            raise Refused("SC007", event_id=event_id)
        return self.deliveries[name, event_id]

    @staticmethod
    def shown(row):
        return {field: value for field, value in row.items() if field not in ("due", "delivered")}

    def fail_event(self, event_id, attempt, error, retry_after, name):
        no_null(event_id, attempt, error, name)
        must(retry_after is None or retry_after >= timedelta(0))
        row = self.delivery(event_id, name)
        if (row["status"], row["attempt"]) != ("running", attempt):
            raise Refused("SC501", event_id=event_id)
        row.update(failures=row["failures"] + 1, last_error=error[:1000], status="available")
        if row["failures"] == MAX_FAILURES:
            row["status"] = "dead"
        elif self.answer is not None:
            delay = min(timedelta(seconds=5 * 5 ** (row["failures"] - 1)), MAX_DELAY)
            least, most = (max(delay * part, min(retry_after or delay * 0, MAX_DELAY)) for part in (0.9, 1.1))
            row["due"] = self.answer["next_attempt_at"]
            if not least <= row["due"] - self.now <= most + CLOSE:
                raise AssertionError(f"it is due {row['due'] - self.now} from now, not {least} to {most}")
        return self.shown(row)

    def retry(self, row):
        row.update(status="available", failures=0, due=AT_ONCE)
        return self.shown(row)

    def is_leased(self, row):
        return row["status"] == "running" and row["due"] > self.now

    def retry_event(self, event_id, name):
        no_null(event_id, name)
        row = self.delivery(event_id, name)
        if self.is_leased(row):
            raise Refused("SC502", event_id=event_id, status=row["status"])
        return self.retry(row)

    def retry_events(self, name):
        no_null(name)
        self.subscription(name)
        rows = [row for row in self.wanted_by(name)
                if row["status"] == "dead" or row["status"] == "available" and row["due"] > self.now]
        for row in rows:
            self.retry(row)
        return len(rows)

    def discard_event(self, event_id, name):
        no_null(event_id, name)
        row = self.delivery(event_id, name)
        if row["status"] in FINISHED or self.is_leased(row):
            raise Refused("SC502", event_id=event_id, status=row["status"])
        row["status"] = "discarded"
        return self.shown(row)

    def purge_events(self, older_than):
        no_null(older_than)
        must(older_than >= timedelta(0))

        def is_over(event):
            rows = [self.deliveries.get((name, event["event_id"])) for name in self.subscriptions]
            rows = [row for row in rows if row is not None]
            ends = [row["delivered"] for row in rows if row["delivered"] is not None]
            is_old = max(ends, default=event["created_at"]) <= self.now - older_than
            return is_old and all(row["status"] in FINISHED for row in rows)

        gone = [event for event in self.events if is_over(event)]
        self.events = [event for event in self.events if event not in gone]
        for event in gone:
            for name in self.subscriptions:
                self.deliveries.pop((name, event["event_id"]), None)
        return len(gone)
