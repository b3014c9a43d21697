// What goes wrong with JDBC, and what does not: a line for each.
import java.sql.*;

class Traps {
    interface Set { void on(PreparedStatement statement) throws SQLException; }

    static void show(String name, Connection conn, String sql, Set set) throws SQLException {
        String result;
        try (PreparedStatement statement = conn.prepareStatement(sql)) {
            set.on(statement);
            ResultSet rows = statement.executeQuery();
            rows.next();
            result = rows.getString(1);
        } catch (SQLException e) {
            result = e.getSQLState();
        }
        System.out.println("jdbc: " + name + ": " + result);
    }

    public static void main(String[] args) throws SQLException {
        Connection conn = DriverManager.getConnection(args[0]);
        Connection unspecified = DriverManager.getConnection(args[0] + "&stringtype=unspecified");
        String quote = "SELECT line_total FROM commerce.quote_order(1, %s)";
        String paid = "SELECT count(*) FROM commerce.orders WHERE status = %s";
        String hold = "SELECT status FROM commerce.hold_order(1, '[{\"option_id\": 1, \"quantity\": 1}]', ttl => %s)";
        String ack = "SELECT commerce.ack_events(%s, %s)";
        String items = "[{\"option_id\": 1, \"quantity\": 1}]";

        show("a string for items", conn, quote.formatted("?"), s -> s.setString(1, items));
        show("a string that is cast", conn, quote.formatted("?::jsonb"), s -> s.setString(1, items));
        show("Types.OTHER", conn, quote.formatted("?"), s -> s.setObject(1, items, Types.OTHER));
        show("stringtype=unspecified", unspecified, quote.formatted("?"), s -> s.setString(1, items));
        show("a string for an enum", conn, paid.formatted("?"), s -> s.setString(1, "paid"));
        show("a string that is cast to an enum", conn, paid.formatted("?::commerce.order_status"), s -> s.setString(1, "paid"));
        show("a string for an interval", conn, hold.formatted("?"), s -> s.setString(1, "1 minute"));
        show("a string that is cast to an interval", conn, hold.formatted("?::interval"), s -> s.setString(1, "1 minute"));
        show("a string for an array", conn, ack.formatted("?", "'{1}'"), s -> s.setString(1, "{1}"));
        show("an array", conn, ack.formatted("?", "?"), s -> {
            s.setArray(1, conn.createArrayOf("bigint", new Long[] {1L}));
            s.setArray(2, conn.createArrayOf("integer", new Integer[] {1}));
        });
    }
}
