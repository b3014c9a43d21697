"""Sessions call, and call again with the same key where no answer came, while somebody kills
what he likes; until this program is told to end (SIGTERM):

    crashes.py CONNINFO [SEED]

Then what was acknowledged must be there, some order of the calls must explain all answers,
and every event must have arrived at each of two subscriptions, those of an order in their
order. Ends with 1 if not.
"""
import random
import signal
import sys
import threading
import time

import psycopg
from psycopg.rows import dict_row

from sessions import NoAnswer, Session
from settle import settle
from told import Caller, Shop

SESSIONS = 6


class CarefulCaller(Caller):
    """Calls that can be made again: with a key, or about an order that nobody else touches."""

    def names(self):
        return {
            self.place: 20, self.hold: 8, self.pay: 8, self.cancel: 5, self.refund: 8, self.charge: 8, self.use: 5,
            self.issue: 8, self.adjust: 5, self.spread: 1, self.quote: 3, self.expire: 1, self.balance: 2}

    def key(self):
        self.number = getattr(self, "number", 0) + 1
        return f"{self.shop.name} {id(self)} {self.number}"

    own_key = key

    def orders(self):
        return {order: known for order, known in super().orders().items() if known["by"] is self}


class CarefulSession(Session):
    def __init__(self, conninfo, shop, seed, number, is_over):
        super().__init__(conninfo, shop, seed, number)
        self.caller, self.is_over, self.lost, self.done = CarefulCaller(shop, self.chance), is_over, 0, set()

    def work(self):
        while not self.is_over.is_set():
            query, arguments, tell = self.caller.draw()
            begin, answer, tries = time.monotonic(), None, 0
            while answer is None:
                tries += 1
                answer = self.try_once(query, arguments, tries)
            self.lost += tries - 1
            end = time.monotonic()
            self.record(begin, end, end, tell(*answer), set())

    def try_once(self, query, arguments, tries):
        try:
            if self.connection.closed:
                self.connect()
            rows, error = self.answer(query, arguments)
            if tries > 1 and error and error[0] == "SC303":
                rows, error = self.find_lost(query, arguments[0]) or (rows, error)
            if error is None:
                self.done.add((query, arguments[0] if arguments else None))
            return rows, error
        except (NoAnswer, psycopg.OperationalError):
            time.sleep(0.02)
            return None

    def find_lost(self, query, order_id):
        """Nobody else pays or cancels the order, so if it is, and was not before, this call did."""
        row = self.execute("SELECT * FROM commerce.orders WHERE order_id = %s", [order_id]).fetchone()
        is_paid = "pay_order" in query and row["status"] == "paid" and row["paid_at"] > row["placed_at"]
        is_cancelled = "cancel_order" in query and row["status"] == "cancelled"
        if (is_paid or is_cancelled) and (query, order_id) not in self.done:
            return [row], None
        return None


class Receiver(threading.Thread):
    """Takes what one subscription has, some of it more than once."""

    def __init__(self, conninfo, name, is_over):
        super().__init__()
        self.conninfo, self.name, self.is_over = conninfo, name, is_over
        self.arrived, self.again, self.failure = {}, 0, None

    def run(self):
        is_empty = False
        while not (is_empty and self.is_over.is_set()):
            try:
                with psycopg.connect(self.conninfo, autocommit=True) as connection:
                    while not (is_empty and self.is_over.is_set()):
                        is_empty = not self.take(connection)
            except psycopg.OperationalError:
                time.sleep(0.02)

    def take(self, connection):
        rows = connection.execute(
            "SELECT event_id, attempt, order_id FROM commerce.claim_events(20, '1 second', %s)", [self.name]).fetchall()
        for event, _attempt, order in rows:
            of_order = self.arrived.setdefault(order, [])
            self.again += event in of_order
            if event not in of_order:
                of_order.append(event)
        ids, attempts = [row[0] for row in rows], [row[1] for row in rows]
        connection.execute("SELECT commerce.ack_events(%s, %s, %s)", [ids, attempts, self.name])
        if not rows:
            time.sleep(0.05)
        left = connection.execute(
            "SELECT count(*) FROM commerce.deliveries WHERE subscription = %s AND status IN ('available', 'running')",
            [self.name]).fetchone()
        return left[0]


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    conninfo = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 10**9
    print(f"seed {seed}", flush=True)
    calls_over, all_over = threading.Event(), threading.Event()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        shop = Shop(connection, random.Random(seed))
    sessions = [CarefulSession(conninfo, shop, seed, number, calls_over) for number in range(SESSIONS)]
    receivers = [Receiver(conninfo, name, all_over) for name in (shop.name, "default")]
    for thread in sessions + receivers:
        thread.start()
    print("at work", flush=True)
    signal.sigwait({signal.SIGTERM})
    for over, threads in ((calls_over, sessions), (all_over, receivers)):
        over.set()
        for thread in threads:
            thread.join()

    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        settle(shop, [told for session in sessions for told in session.told], connection)
        wrong = shop.failures + list(shop.history.unexplained())
        wrong += [str(row) for row in connection.execute("SELECT * FROM commerce.verify()")]
        written = {}
        for row in connection.execute("SELECT order_id, event_id FROM commerce.events ORDER BY event_id"):
            written.setdefault(row["order_id"], []).append(row["event_id"])
    wrong += [f"at {receiver.name}, of order {order}: {receiver.arrived.get(order)}, not {events}"
              for receiver in receivers for order, events in written.items() if receiver.arrived.get(order) != events]
    for line in wrong[:20]:
        print(f"not explained: {line}")
    print(f"{sum(session.calls for session in sessions)} calls, {sum(session.lost for session in sessions)} answers lost,"
          f" {sum(map(len, written.values()))} events, {sum(receiver.again for receiver in receivers)} of them again")
    return 1 if wrong else 0


sys.exit(main())
