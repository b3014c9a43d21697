"""Several sessions call at once; then it is seen whether some order of the calls explains
all that they were answered, and what is in the tables:

    sessions.py CONNINFO ROUNDS [SEED]

A round is a shop of its own, with SESSIONS sessions of UNITS calls: alone, or some in one
transaction, with savepoints, at any isolation level, prepared or not, with timeouts, while
somebody cancels and terminates. Ends with 1 if anything is not explained.
"""
import json
import random
import sys
import threading
import time

import psycopg
from psycopg.rows import dict_row

import history
from history import equals, has
from settle import changed_by, settle
from told import Caller, Shop

SESSIONS, UNITS = 8, 200
LEVELS = ["READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
# No answer: to be called again, a deadlock, cancelled, no lock in time, terminated.
NO_ANSWER = {"40001", "40P01", "57014", "55P03", "57P01"}
CHANGES_NOTHING = (equals, has, history.is_short, history.is_one_of, history.stands_for_other)
IDLE = psycopg.pq.TransactionStatus.IDLE
SPREAD = ("stock", "quota")


class NoAnswer(Exception):
    pass


def forget(tell):
    """What the call did is undone."""
    list(tell(None, ("", {})))


class Session(threading.Thread):
    def __init__(self, conninfo, shop, seed, number):
        super().__init__()
        self.conninfo, self.shop, self.number = conninfo, shop, number
        self.chance = random.Random(f"{seed} {number}")
        self.caller, self.calls, self.told, self.connection = Caller(shop, self.chance), 0, [], None
        self.connect()

    def connect(self):
        self.connection = psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row)
        self.pid = self.connection.info.backend_pid
        self.execute("SET deadlock_timeout = '20ms'")

    def run(self):
        try:
            self.work()
        except BaseException as error:
            self.shop.failures.append(f"{type(error).__name__}: {error}")
            raise

    def work(self):
        for unit in range(UNITS):
            try:
                if self.connection.closed:
                    self.connect()
                self.set_up()
                if self.chance.random() < 0.6:
                    self.call_alone()
                else:
                    self.call_together(f"{self.shop.name} {self.number} {unit}")
            except NoAnswer:
                pass

    def execute(self, query, arguments=()):
        try:
            return self.connection.execute(query, arguments)
        except psycopg.Error as error:
            if error.sqlstate in NO_ANSWER or self.connection.closed:
                raise NoAnswer from error
            raise
        except ValueError as error:  # psycopg 3.1, of a result and an error after it
            self.connection.close()
            raise NoAnswer from error

    def set_up(self):
        self.level = self.chance.choice(LEVELS)
        for name, value in (("default_transaction_isolation", self.level.lower()),
                            ("statement_timeout", self.chance.choice([0, 0, 0, 3, 20])),
                            ("lock_timeout", self.chance.choice([0, 0, 0, 3]))):
            self.execute("SELECT set_config(%s, %s, false)", [name, str(value)])

    def answer(self, query, arguments):
        """(rows, None), or (None, (sqlstate, detail))."""
        self.calls += 1
        try:
            return self.execute(query, arguments).fetchall(), None
        except psycopg.Error as error:
            if not error.sqlstate.startswith("SC"):
                raise
            detail = error.diag.message_detail
            return None, (error.sqlstate, json.loads(detail) if detail else {})

    def record(self, begin, answered, end, told, changed):
        """What a call told; changed is what its transaction changed, before it and by it.

        What was seen was there at a moment of the call: or, of what the transaction itself had
        changed and thus locked, at its end. But of a number that is spread over rows, only some
        are locked: what is seen of it then is nothing that others need ever see.
        """
        for thing, act, *arguments in told:
            if act not in CHANGES_NOTHING:
                changed.update(changed_by(thing, act))
                self.told.append((thing, begin, end, act, arguments))
            elif thing not in changed:
                self.told.append((thing, begin, answered, act, arguments))
            elif thing[0] not in SPREAD:
                self.told.append((thing, begin, end, act, arguments))

    def attempt(self):
        """(begin, end, tell, answer) of a call."""
        query, arguments, tell = self.caller.draw()
        begin = time.monotonic()
        try:
            answer = self.answer(query, arguments)
        except NoAnswer:
            forget(tell)
            raise
        return begin, time.monotonic(), tell, answer

    def call_alone(self):
        begin, end, tell, answer = self.attempt()
        self.record(begin, end, end, tell(*answer), set())

    def call_together(self, name):
        calls, begin, is_done = [], time.monotonic(), False
        try:
            self.execute("BEGIN")
            for _ in range(self.chance.choice([2, 3, 4])):
                self.call_in_savepoint(calls)
            is_done = self.end(name)
        finally:
            end = time.monotonic()
            self.roll_back()
            changed = set()
            for call_begin, answered, tell, answer in calls:
                if is_done:
                    call_begin = call_begin if self.level == "READ COMMITTED" else begin
                    self.record(call_begin, answered, end, tell(*answer), changed)
                else:
                    forget(tell)

    def roll_back(self):
        """Ends a transaction that is still open, even if that is cancelled."""
        while not self.connection.closed and self.connection.info.transaction_status != IDLE:
            try:
                self.connection.rollback()
            except psycopg.OperationalError:
                pass

    def call_in_savepoint(self, calls):
        self.execute("SAVEPOINT call")
        begin, answered, tell, answer = self.attempt()
        is_undone = answer[1] is None and self.chance.random() < 0.2
        if is_undone or answer[1] is not None:
            self.execute("ROLLBACK TO SAVEPOINT call")
        if is_undone:
            forget(tell)
        else:
            calls.append((begin, answered, tell, answer))

    def end(self, name):
        """Commits, mostly. Has it?"""
        how = self.chance.choice(["commit"] * 5 + ["prepare", "prepare", "rollback"])
        if how == "rollback":
            return False
        self.execute("SET statement_timeout = 0")
        if how == "prepare":
            return self.end_prepared(name)
        self.execute("COMMIT")
        return True

    def end_prepared(self, name):
        try:
            self.execute(f"PREPARE TRANSACTION '{name}'")
        except NoAnswer:
            self.decide(f"ROLLBACK PREPARED '{name}'", name)
            raise
        time.sleep(self.chance.choice([0, 0.005]))
        is_wanted = self.chance.random() < 0.8
        self.decide(f"{'COMMIT' if is_wanted else 'ROLLBACK'} PREPARED '{name}'", name)
        return is_wanted

    def decide(self, statement, name):
        """What is prepared has to end, whoever cancels or terminates."""
        while True:
            try:
                if self.connection.closed:
                    self.connect()
                self.roll_back()
                if not self.connection.execute("SELECT FROM pg_prepared_xacts WHERE gid = %s", [name]).rowcount:
                    return
                self.connection.execute(statement)
            except psycopg.Error as error:
                if error.sqlstate not in NO_ANSWER and not self.connection.closed:
                    raise


def disturb(conninfo, sessions, chance):
    """Cancels and terminates, as long as any session is at work."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while any(session.is_alive() for session in sessions):
            time.sleep(0.01)
            how = "pg_terminate_backend" if chance.random() < 0.1 else "pg_cancel_backend"
            connection.execute(f"SELECT {how}(pid) FROM pg_stat_activity WHERE pid = %s", [chance.choice(sessions).pid])


# ---- the run ----


def play(conninfo, seed):
    """One round: (calls, what is not explained)."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        shop = Shop(connection, random.Random(seed))
        sessions = [Session(conninfo, shop, seed, number) for number in range(SESSIONS)]
        for session in sessions:
            session.start()
        disturb(conninfo, sessions, random.Random(seed))
        for session in sessions:
            session.join()
            session.connection.close()
        settle(shop, [told for session in sessions for told in session.told], connection)
        wrong = shop.failures + list(shop.history.unexplained())
        wrong += [str(row) for row in connection.execute("SELECT * FROM commerce.verify()")]
    acts = sum(len(acts) for acts in shop.history.things.values())
    return sum(session.calls for session in sessions), acts, wrong


def main():
    conninfo, rounds = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 10**9
    calls = acts = 0
    for number in range(rounds):
        print(f"round {number + 1}, seed {seed + number}", flush=True)
        more_calls, more_acts, wrong = play(conninfo, seed + number)
        calls, acts = calls + more_calls, acts + more_acts
        for line in wrong[:20]:
            print(f"not explained: {line}")
        if wrong:
            return 1
    print(f"{calls} calls, which did or saw {acts} things: some order explains them all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
