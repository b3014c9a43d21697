"""Users buy through routers, all at once, each until there is an answer:

    rush.py CONNINFO[;CONNINFO...] CLIENTS FIRST_USER LAST_USER OPTION QUANTITY

An empty CONNINFO is what libpq finds in the environment. Each client takes the next user, at a
router in turn, and buys QUANTITY units of OPTION with an
idempotency key. What may be tried again is, with the same key: a node that is away, a connection
that is lost. Prints how often each SQLSTATE was the answer, "00000 12", and "tried again N".
"""
import collections
import sys
import threading
import time

import psycopg

RETRYABLE = ("SC901", "40001", "40P01", "57P01", "57P02", "57P03", None)
PATIENCE = 120


class Rush:
    def __init__(self, conninfos, first, last, option, quantity):
        self.conninfos = conninfos
        self.users = iter(range(first, last + 1))
        self.option = option
        self.items = f'[{{"option_id": {option}, "quantity": {quantity}}}]'
        self.lock = threading.Lock()
        self.answers = collections.Counter()
        self.again = 0

    def next_user(self):
        with self.lock:
            return next(self.users, None)

    def count(self, code):
        with self.lock:
            self.answers[code] += 1

    def answer(self, connection, user):
        """The SQLSTATE of one try."""
        try:
            connection.execute("SELECT order_id FROM commerce.place_order(%s, %s::jsonb, NULL, %s)",
                               (user, self.items, f"{self.option} {user}"))
            return "00000"
        except psycopg.Error as error:
            if error.sqlstate is not None and not error.sqlstate.startswith("SC") and error.sqlstate not in RETRYABLE:
                print(error, file=sys.stderr)
            return error.sqlstate

    def run(self, n):
        connection = None
        while (user := self.next_user()) is not None:
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    if connection is None or connection.closed:
                        connection = psycopg.connect(self.conninfos[n % len(self.conninfos)], autocommit=True)
                    code = self.answer(connection, user)
                except psycopg.OperationalError:
                    code, connection = None, None
                if code not in RETRYABLE or time.monotonic() > until:
                    self.count(code or "lost")
                    break
                with self.lock:
                    self.again += 1
                n += 1
                time.sleep(0.02)


def main():
    conninfos, clients = sys.argv[1].split(";"), int(sys.argv[2])
    rush = Rush(conninfos, *map(int, sys.argv[3:7]))
    threads = [threading.Thread(target=rush.run, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for code, count in sorted(rush.answers.items()):
        print(code, count)
    print("tried again", rush.again)


if __name__ == "__main__":
    main()
