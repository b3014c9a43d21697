"""Breaks the engine in known ways, one at a time, and lets the model see it:

    mutants.py [NAME...]

Runs in the sources of a server that test/server.sh gave us, of which it replaces the
library. Each mutant must be caught, by random calls (compare.py), by sessions that call at
once (sessions.py), or, where the moment is too rare for these, by an isolation test. Ends with "N passed, N failed".
"""
import os
import re
import shutil
import subprocess
import sys

CALLS, ROUNDS, SEED = 20000, 15, 1

# name, file, what it says, what it says then, who is to catch it
MUTANTS = [
    ("counter: a slot is not locked", "src/counter/counter.c",
     "hold->own != NULL && row_lock_unchanged(hold->own, false, &is_busy)", "hold->own != NULL", "sessions"),
    ("counter: the own slot may be one short", "src/counter/counter.c",
     "row_int64(hold->own, SLOTS_QUANTITY) < quantity", "row_int64(hold->own, SLOTS_QUANTITY) < quantity - 1", "calls"),
    ("counter: short by what is in one slot", "src/counter/counter.c",
     "case NONE_SUFFICES:\n\t\t\t\tstop_point(\"counter_before_hold_all\");\n"
     "\t\t\t\treturn hold_all(work, table, id, hold, available);",
     "case NONE_SUFFICES:\n\t\t\t\treturn false;", "sessions"),
    ("counter: the child of a split has one too many", "src/counter/counter.c",
     "number + (1 << (level - 1)), level, half);", "number + (1 << (level - 1)), level, half + 1);", "sessions"),
    ("counter: an empty slot stays full", "src/counter/counter.c",
     "if (rest == 0 && number != 0)\n\t\trow_delete(slot);", "if (rest == 0 && number != 0)\n\t\treturn;", "sessions"),
    ("counter: a merge forgets what is taken", "src/counter/counter.c",
     "sum_of(hold) - hold->quantity", "sum_of(hold)", "sessions"),
    ("counter: a merge leaves the other slots", "src/counter/counter.c",
     "for (int i = 1; i < count; i++)\n\t\trow_delete", "for (int i = 2; i < count; i++)\n\t\trow_delete", "sessions"),
    ("counter: what is given is shared out with a unit lost", "src/counter/counter_give.c",
     "sum / all->count + (i < sum % all->count)", "sum / all->count", "sessions"),
    ("counter: what is put back is put back twice", "src/counter/counter_give.c",
     "row_int64(slot, SLOTS_QUANTITY) + quantity);", "row_int64(slot, SLOTS_QUANTITY) + 2 * quantity);", "calls"),
    ("counter: all slots, but not those made meanwhile", "src/counter/counter_slots.c",
     "if (same_slots(&all, &locked))", "if (locked.count > 0)", "iso_counter_collect_split"),
    ("balance: its row is not locked", "src/shop/balance.c",
     "\tbalance = row_lock(work, TABLE_BALANCES, Int64GetDatum(scope->user_id));",
     "\tbalance = row_find(work, TABLE_BALANCES, Int64GetDatum(scope->user_id));", "sessions"),
    ("balance: what the snapshot shows is not checked", "src/shop/balance.c",
     "if (balance == NULL || check(balance, amount) != NULL)", "if (balance == NULL)", "calls"),
    ("payment: taken at once, and once more", "src/shop/payment.c",
     "payment->changed != NULL && payment->taken == 0", "payment->changed != NULL", "calls"),
    ("counter: taken at once, one too few", "src/counter/counter.c",
     "slot_update_unchanged(slot, rest)", "slot_update_unchanged(slot, rest + 1)", "calls"),
    ("balance: one may be owed", "src/shop/balance.c",
     "if (amount <= available)", "if (amount <= available + 1)", "calls"),
    ("balance: it may overflow", "src/shop/balance.c",
     "if (!pg_add_s64_overflow(row_int64(balance, BALANCES_BALANCE), amount,\n\t\t\t\t\t\t\t &after))",
     "(void) pg_add_s64_overflow(row_int64(balance, BALANCES_BALANCE), amount,\n\t\t\t\t\t\t\t &after);\n\tif (after)",
     "calls"),
    ("balance: an entry is off by one", "src/shop/balance.c",
     "row_set_int64(entry, BALANCE_HISTORY_AMOUNT, amount);",
     "row_set_int64(entry, BALANCE_HISTORY_AMOUNT, amount + 1);", "calls"),
    ("balance: the first charge is lost to another's", "src/shop/balance.c",
     "row_set_int64(row, BALANCES_BALANCE, 0);", "row_set_int64(row, BALANCES_BALANCE, 1);", "calls"),
    ("idempotency: a key acts again", "src/shop/idempotency.c",
     "*object_id = found_id;\n\t*replay = true;", "*object_id = found_id;\n\t*replay = false;", "calls"),
    ("idempotency: whatever the arguments", "src/shop/idempotency.c",
     "if (!idempotency_same(wanted, digest))", "if (false)", "calls"),
    ("idempotency: digests are alike from the start", "src/shop/idempotency.c",
     "memcmp(VARDATA_ANY(digest), VARDATA_ANY(other),\n\t\t\t   VARSIZE_ANY_EXHDR(digest)) == 0",
     "memcmp(VARDATA_ANY(digest), VARDATA_ANY(other), 0) == 0", "calls"),
    ("idempotency: the key of a refund is anybody's", "src/order/order_refund.c",
     "scope.user_id = row_int64(order, ORDERS_USER_ID);", "scope.user_id = 0;", "calls"),
    ("coupon: used twice", "src/shop/coupon.c",
     "if (row_is(coupon, COUPONS_STATUS, COUPON_ISSUED))\n\t\treturn NULL;", "if (!row_is(coupon, COUPONS_STATUS,"
     " COUPON_REVOKED))\n\t\treturn NULL;", "calls"),
    ("coupon: anybody's", "src/shop/coupon.c",
     "coupon == NULL || row_int64(coupon, COUPONS_USER_ID) != user_id", "coupon == NULL", "calls"),
    ("coupon: good for ever", "src/shop/coupon.c",
     "GetCurrentTransactionStartTimestamp() < expires_at", "true", "calls"),
    ("coupon: given back though its policy does not", "src/shop/coupon.c",
     "if (was_paid &&\n", "if (false && was_paid &&\n", "calls"),
    ("coupon: one more than its limit", "src/shop/coupon_issue.c",
     "if (issued >= terms->limit)\n\t\t\treturn refuse_coupon_already", "if (issued > terms->limit)\n\t\t\treturn"
     " refuse_coupon_already", "calls"),
    ("coupon: the quota is not taken", "src/shop/coupon_issue.c",
     "return refuse_coupon_sold_out(policy_id);\n\tcounter_take(&hold);", "return refuse_coupon_sold_out(policy_id);",
     "calls"),
    ("coupon: sold out with one left", "src/shop/coupon_issue.c",
     "TABLE_COUPON_QUOTA_SLOTS, policy_id) == 0;", "TABLE_COUPON_QUOTA_SLOTS, policy_id) <= 1;", "calls"),
    ("coupon: its use is decided without its lock", "src/shop/coupon.c",
     "coupon_check(row_lock(work, TABLE_COUPONS,", "coupon_check(row_find(work, TABLE_COUPONS,", "sessions"),
    ("refund: one unit too many", "src/order/order_refund.c",
     "if (item->quantity > available)", "if (item->quantity > available + 1)", "calls"),
    ("refund: what was refunded before is paid again", "src/order/order_refund.c",
     "row_int64(line, ORDER_ITEMS_REFUNDED_QUANTITY),\n\t\t\t\t\t  quantity);", "0,\n\t\t\t\t\t  quantity);", "calls"),
    ("refund: of a cancelled order", "src/order/order_refund.c",
     "!row_is(order, ORDERS_STATUS, ORDER_PARTIALLY_REFUNDED))",
     "!row_is(order, ORDERS_STATUS, ORDER_PARTIALLY_REFUNDED) &&\n\t\t!row_is(order, ORDERS_STATUS, ORDER_CANCELLED))",
     "calls"),
    ("refund: the lines of before the lock", "src/order/order_lifecycle.c",
     "/* We may have waited for somebody who changed its lines. */\n\trow_refresh(work);", "", "iso_refund_two"),
    ("refund: the last one does not close the order", "src/order/order_refund.c",
     "plan->is_rest = (left == 0);", "plan->is_rest = false;", "calls"),
    ("cancel: the goods stay away", "src/order/order_cancel.c",
     "return give_back_lines(work, order_id, &lines, restock);",
     "return give_back_lines(work, order_id, &lines, false);", "calls"),
    ("cancel: the money stays here", "src/order/order_cancel.c",
     "payment_write(payment);\n\t}\n\tfor", "}\n\tfor", "calls"),
    ("pay: an order that is late", "src/order/order_pay.c",
     "return GetCurrentTransactionStartTimestamp() >=", "return 0 * GetCurrentTransactionStartTimestamp() >=", "calls"),
    ("expire: an order that is not due", "src/order/order_expire_part.c",
     "row_time(order, ORDERS_EXPIRES_AT) <=\n", "row_time(order, ORDERS_EXPIRES_AT) >=\n", "calls"),
    ("dispatch: no event of a refund", "src/order/order_refund.c",
     "event_write_later(order, EVENT_ORDER_REFUNDED, describe_refund(plan));", "", "calls"),
    ("dispatch: an attempt of before", "src/event/hand_back.c",
     "row_int32(delivery, STORED_DELIVERIES_ATTEMPT) == held->attempt", "true", "calls"),
    ("dispatch: a later event before an earlier one", "src/event/delivery.c",
     "if (other_id < event_id ||", "if (false ||", "calls"),
    ("dispatch: one that is out again beside a later one", "src/event/delivery.c",
     "(other_id > event_id &&", "(other_id > event_id && false &&", "calls"),
    ("dispatch: a lapsed lease is no failure", "src/event/delivery.c",
     "int32\t\tfailures = row_int32(delivery, STORED_DELIVERIES_FAILURES) + 1;",
     "int32\t\tfailures = row_int32(delivery, STORED_DELIVERIES_FAILURES);", "calls"),
    ("dispatch: claimers take no turns", "src/event/claim.c",
     "subscription_begin_storing(claim->subscription);\n\trow_refresh", "row_refresh", "sessions"),
]


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)


def install(folder):
    made = run(["make", "-s", "commerce.so"])
    if made.returncode:
        raise SystemExit(f"it cannot be built:\n{made.stdout}")
    shutil.copy("commerce.so", f"{folder}/commerce.so.new")
    os.replace(f"{folder}/commerce.so.new", f"{folder}/commerce.so")


def caught(by):
    """What was said of it, or None."""
    if by.startswith("iso_"):
        return None if run(["test/run.sh", by]).returncode == 0 else "it differs"
    run(["dropdb", "--if-exists", "--force", "mutant"])
    run(["createdb", "mutant"])
    run(["psql", "-qXc", "CREATE EXTENSION commerce", "mutant"])
    script, count = {"calls": ("compare.py", CALLS), "sessions": ("sessions.py", ROUNDS)}[by]
    found = run(["/usr/bin/python3", f"test/model/{script}", "dbname=mutant", str(count), str(SEED)])
    if found.returncode == 0:
        return None
    said = re.findall(r"^(?:call \d+, .*differs:|tables differ:|not explained:) .*", found.stdout, re.MULTILINE)
    return (said or found.stdout.strip().splitlines()[-1:] or ["it ended"])[0]


def try_mutant(folder, name, path, old, new, by):
    with open(path) as file:
        source = file.read()
    if source.count(old) != 1:
        raise SystemExit(f"{name}: {path} has {source.count(old)} times: {old}")
    try:
        with open(path, "w") as file:
            file.write(source.replace(old, new))
        install(folder)
        return caught(by)
    finally:
        with open(path, "w") as file:
            file.write(source)
        os.utime(path)


def main():
    folder = run([os.environ["PG_CONFIG"], "--pkglibdir"]).stdout.strip()
    for by in ("calls", "sessions"):
        if said := caught(by):
            raise SystemExit(f"it is wrong without a mutant: {said}")
    wanted = [mutant for mutant in MUTANTS if not sys.argv[1:] or mutant[0] in sys.argv[1:]]
    passed = 0
    for number, (name, path, old, new, by) in enumerate(wanted, 1):
        said = try_mutant(folder, name, path, old, new, by)
        passed += said is not None
        print(f"{'ok' if said else 'not ok'} {number} - {name}, by {by}\n#   {(said or '')[:160]}", flush=True)
    print(f"\n{passed} passed, {len(wanted) - passed} failed")
    return 0 if passed == len(wanted) else 1


sys.exit(main())
