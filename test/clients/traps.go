// What goes wrong with lib/pq, and what does not: a line for each.
package main

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/lib/pq"
)

func showOn(conninfo, name, query string, args ...any) {
	var result string
	var refusal *pq.Error
	db, _ := sql.Open("postgres", conninfo)
	err := db.QueryRow(query, args...).Scan(&result)
	if errors.As(err, &refusal) {
		result = string(refusal.Code)
	} else if err != nil {
		result = "not sent"
	}
	fmt.Printf("pq: %s: %s\n", name, result)
}

func show(name, query string, args ...any) { showOn("dbname=shop", name, query, args...) }

func main() {
	quote := "SELECT line_total FROM commerce.quote_order(1, $1)"
	items := `[{"option_id": 1, "quantity": 1}]`
	show("items as []byte", quote, []byte(items))
	show("items as string", quote, items)
	show("a slice", "SELECT commerce.ack_events($1, $2)", []int64{1}, []int32{1})
	show("pq.Array", "SELECT commerce.ack_events($1, $2)", pq.Array([]int64{1}), pq.Array([]int32{1}))
	// Not by a socket, and the server has no TLS.
	showOn("dbname=shop host=127.0.0.1", "without sslmode", "SELECT 1")
	showOn("dbname=shop host=127.0.0.1 sslmode=disable", "with sslmode=disable", "SELECT 1")
}
