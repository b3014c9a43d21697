// JDBC: buys, is refused, and takes the events.
//   java -cp postgresql.jar Jdbc.java jdbc:postgresql://localhost/shop?user=clerk
import java.sql.*;
import java.util.*;
import org.postgresql.util.PSQLException;

class Jdbc {
    record Order(long id, String status, long total) {}
    record Event(long id, int attempt, String type, long total) {}
    interface Row<T> { T read(ResultSet row) throws SQLException; }
    interface Work<T> { T run() throws SQLException; }

    static Connection conn;

    // Runs it once more as long as somebody else was there first.
    static <T> T inTransaction(Work<T> work) throws SQLException {
        for (int attempt = 1; ; attempt++) {
            conn.setAutoCommit(false);
            try {
                T result = work.run();
                conn.commit();
                return result;
            } catch (SQLException e) {
                conn.rollback();
                if (!Set.of("40001", "40P01").contains(e.getSQLState()) || attempt == 10) throw e;
            } finally {
                conn.setAutoCommit(true);
            }
        }
    }

    static <T> List<T> query(Row<T> row, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = conn.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) statement.setObject(i + 1, parameters[i]);
            ResultSet rows = statement.executeQuery();
            List<T> result = new ArrayList<>();
            while (rows.next()) result.add(row.read(rows));
            return result;
        }
    }

    // A String is sent as varchar, which is no jsonb: it takes the cast.
    static Order placeOrder(long option, int quantity, String key) throws SQLException {
        String items = "[{\"option_id\": %d, \"quantity\": %d}]".formatted(option, quantity);
        return query(row -> new Order(row.getLong("order_id"), row.getString("status"), row.getLong("total")),
            "SELECT * FROM commerce.place_order(?, ?::jsonb, idempotency_key => ?)", 1L, items, key).get(0);
    }

    public static void main(String[] args) throws SQLException {
        conn = DriverManager.getConnection(args[0]);
        conn.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);

        long option = query(row -> row.getLong(1),
            "SELECT option_id FROM commerce.product_options WHERE name = ?", "size M").get(0);
        Order order = inTransaction(() -> {
            query(row -> null, "SELECT * FROM commerce.charge_balance(?, ?, ?)", 1L, 10000L, "tx-8813");
            return placeOrder(option, 2, "cart-52");
        });
        System.out.println("order " + order.id() + " is " + order.status() + ": " + order.total());

        try {
            placeOrder(option, 99, null);
        } catch (PSQLException e) {
            if (!e.getSQLState().startsWith("SC")) throw e;
            // One JSON object, for the JSON library of your choice.
            System.out.println(e.getSQLState() + ": " + e.getServerErrorMessage().getDetail());
        }

        List<Event> events = query(row -> new Event(row.getLong(1), row.getInt(2), row.getString(3), row.getLong(4)), """
            SELECT event_id, attempt, event_type, payload #>> '{data,order,total}'
            FROM commerce.claim_events(100, '1 minute')""");
        for (Event event : events) System.out.println(event.type() + " " + event.total());
        long acked = query(row -> row.getLong(1), "SELECT commerce.ack_events(?, ?)",
            conn.createArrayOf("bigint", events.stream().map(Event::id).toArray()),
            conn.createArrayOf("integer", events.stream().map(Event::attempt).toArray())).get(0);
        System.out.println(acked + " acknowledged");
    }
}
