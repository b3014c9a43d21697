# What goes wrong with psycopg 3, and what does not: a line for each.
import psycopg
from psycopg.types.json import Jsonb

conn = psycopg.connect("dbname=shop", autocommit=True)


def show(name, sql, *parameters):
    try:
        result, = conn.execute(sql, parameters).fetchone()
        print(f"psycopg: {name}: {type(result).__name__} {result}")
    except psycopg.Error as e:
        print(f"psycopg: {name}: {e.sqlstate or type(e).__name__}")


quote = "SELECT line_total FROM commerce.quote_order(1, %s)"
items = [{"option_id": 1, "quantity": 1}]
show("a bigint", "SELECT price FROM commerce.product_options")
show("items as a list", quote, items)
show("items as Jsonb", quote, Jsonb(items))
show("an array", "SELECT commerce.ack_events(%s, %s)", [1], [1])
show("an empty array", "SELECT commerce.ack_events(%s, %s)", [], [])
show("an enum", "SELECT count(*) FROM commerce.orders WHERE status = %s", "paid")
