// JDBC and a pool: a line for each way, with what it comes to.
import java.sql.*;

class Pooled {
    static void show(String url, String option, boolean alone) throws SQLException {
        String result = "";
        try (Connection conn = DriverManager.getConnection(url + "&" + option);
             Connection other = DriverManager.getConnection(url + "&prepareThreshold=0");
             PreparedStatement statement = conn.prepareStatement("SELECT commerce.get_balance(?)")) {
            other.setAutoCommit(false);
            conn.setAutoCommit(alone);
            for (int i = 0; i < 2; i++) {
                statement.setLong(1, 1);
                try {
                    statement.executeQuery();
                    result += " works";
                } catch (SQLException e) {
                    result += " " + e.getSQLState();
                }
                if (!alone) conn.rollback();
                // The server's session that has run it is somebody else's now.
                other.createStatement().execute("SELECT 1");
            }
        }
        System.out.println("JDBC, " + option + (alone ? "" : " in a transaction") + ":" + result);
    }

    public static void main(String[] args) throws SQLException {
        show(args[0], "prepareThreshold=1", true);
        show(args[0], "prepareThreshold=1", false);
        show(args[0], "prepareThreshold=0", false);
    }
}
