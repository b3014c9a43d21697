# psycopg 3 and a pool: a line for each way, with what it comes to.
import psycopg


def show(name, prepare, **options):
    conn, other = (psycopg.connect("dbname=shop", autocommit=True, **options) for _ in range(2))
    result = []
    for _ in range(2):
        try:
            conn.execute("SELECT commerce.get_balance(%s)", (1,), prepare=prepare)
            result.append("works")
        except psycopg.Error as e:
            result.append(e.sqlstate)
        # The server's session that has run it is somebody else's now.
        other.execute("BEGIN")
        other.execute("SELECT 1")
    print(f"psycopg, {name}: {' '.join(result)}")


def show_many(name, maximum):
    conn = psycopg.connect("dbname=shop", autocommit=True)
    conn.prepared_max = maximum
    result = []
    for i in range(4):
        try:
            conn.execute(f"SELECT commerce.get_balance(%s) + {i}", (1,), prepare=True)
            result.append("works")
        except psycopg.Error as e:
            result.append(e.sqlstate)
    print(f"psycopg, {name}: {' '.join(result)}")


show("prepared", True)
show("prepare_threshold=None", None, prepare_threshold=None)
show_many("more than prepared_max", 2)
show_many("a great prepared_max", 1000000)
