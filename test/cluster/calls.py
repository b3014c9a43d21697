"""Users whose bucket may be on its way: calls of all kinds through routers, and relays at the nodes.

    calls.py ROUTERS NODES CLIENTS USERS STOP_FILE

ROUTERS and NODES are connection strings, with semicolons between; USERS ids, with commas. Until
STOP_FILE is there, each client makes calls for one user after the other, at a router in turn; what
may be tried again is, with the same key. A relay at each node claims events, and acknowledges or
releases them. Prints what does not fit, "wrong ...", and figures.
"""
import collections
import os
import random
import sys
import threading
import time

import psycopg

RETRYABLE = ("SC901", "40001", "40P01", "57P01", None)
PLACE = "(commerce.place_order(%s, %s::jsonb, NULL, %s)).order_id"
REFUND = "(commerce.refund_order(%s, '[{\"option_id\": 1, \"quantity\": 1}]', %s)).status"
ITEMS = '[{"option_id": 1, "quantity": 2}]'


class Calls:
    def __init__(self, routers, nodes, users, stop_file):
        self.routers, self.nodes, self.users = routers, nodes, users
        self.stop_file = stop_file
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.wrong = []
        self.longest = 0.0
        self.orders = {}
        self.delivered = collections.defaultdict(list)

    def is_over(self):
        return os.path.exists(self.stop_file)

    def call(self, n, state, sql, arguments):
        """The value, or the SQLSTATE of a refusal; how long it took counts."""
        began = time.monotonic()
        while True:
            try:
                if state.get(n) is None or state[n].closed:
                    state[n] = psycopg.connect(self.routers[n % len(self.routers)], autocommit=True)
                answer = state[n].execute(f"SELECT {sql}", arguments).fetchone()[0]
                break
            except psycopg.Error as error:
                if error.sqlstate not in RETRYABLE or time.monotonic() > began + 60:
                    answer = error
                    break
                with self.lock:
                    self.counts["again " + str(error.sqlstate)] += 1
                time.sleep(0.02)
        took = time.monotonic() - began
        with self.lock:
            self.longest = max(self.longest, took)
            self.counts[sql.split("commerce.")[1].split("(")[0]] += 1
        if isinstance(answer, psycopg.Error):
            with self.lock:
                self.wrong.append(f"{sql}: {answer.sqlstate} {answer}")
        return answer

    def client(self, n):
        state, nth = {}, 0
        while not self.is_over():
            nth += 1
            user, key = random.choice(self.users), f"{os.getpid()} {n} {nth}"
            order = self.call(n, state, PLACE, (user, ITEMS, key))
            with self.lock:
                self.orders[(user, key)] = order
            self.call(n, state, "(commerce.charge_balance(%s, 100, %s)).balance_after", (user, key))
            self.call(n, state, "commerce.get_balance(%s)", (user,))
            self.call(n, state, "commerce.get_order(%s)->>'order_id'", (order,))
            what = random.randrange(4)
            if what == 0:
                self.call(n, state, "(commerce.cancel_order(%s)).status", (order,))
            elif what == 1:
                for half in "ab":
                    self.call(n, state, REFUND, (order, key + half))
            elif what == 2:
                self.call(n, state, "(commerce.issue_coupon(%s, 1, %s)).coupon_id", (user, key))
            again = self.call(n, state, PLACE, (user, ITEMS, key))
            if again != order:
                with self.lock:
                    self.wrong.append(f"order {order} came again as {again}")

    def relay(self, node):
        connection = psycopg.connect(self.nodes[node], autocommit=True)
        while not self.is_over():
            events = connection.execute(
                "SELECT event_id, order_id, attempt FROM commerce.claim_events(20, '1 second')").fetchall()
            for event, order, attempt in events:
                with self.lock:
                    self.delivered[order].append(event)
                function = "release_events" if random.random() < 0.2 else "ack_events"
                connection.execute(f"SELECT commerce.{function}(ARRAY[%s::bigint], ARRAY[%s::int])", (event, attempt))
            if not events:
                time.sleep(0.02)

    def check(self):
        """A later event of an order comes after all before it, whatever comes again."""
        for order, events in self.delivered.items():
            first = list(dict.fromkeys(events))
            if first != sorted(first):
                self.wrong.append(f"events of order {order} came as {events}")


def main():
    routers, nodes, clients = sys.argv[1].split(";"), sys.argv[2].split(";"), int(sys.argv[3])
    calls = Calls(routers, nodes, [int(user) for user in sys.argv[4].split(",")], sys.argv[5])
    threads = [threading.Thread(target=calls.client, args=(n,)) for n in range(clients)]
    threads += [threading.Thread(target=calls.relay, args=(n,)) for n in range(len(nodes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calls.check()
    for name, count in sorted(calls.counts.items()):
        print(name, count)
    print("orders", len(calls.orders))
    print("order_ids", ",".join(str(order) for order in calls.orders.values()))
    print(f"longest {calls.longest:.2f}")
    for line in calls.wrong[:20]:
        print("wrong", line)


if __name__ == "__main__":
    main()
