// Go's database/sql with lib/pq: buys, is refused, and takes the events.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/lib/pq"
)

type item struct {
	OptionID int64 `json:"option_id"`
	Quantity int64 `json:"quantity"`
}

type order struct {
	id, total int64
	status    string
}

type querier interface {
	QueryRow(query string, args ...any) *sql.Row
}

func sqlstate(err error) string {
	var e *pq.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	return ""
}

// Runs it once more as long as somebody else was there first.
func inTransaction(db *sql.DB, work func(*sql.Tx) error) error {
	for attempt := 1; ; attempt++ {
		tx, err := db.BeginTx(context.Background(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			return err
		}
		if err = work(tx); err == nil {
			err = tx.Commit()
		} else {
			tx.Rollback()
		}
		if code := sqlstate(err); code != "40001" && code != "40P01" || attempt == 10 {
			return err
		}
	}
}

// Items as a string: []byte is taken for binary where binary_parameters is on.
func placeOrder(db querier, items []item, key *string) (o order, err error) {
	text, _ := json.Marshal(items)
	err = db.QueryRow("SELECT order_id, status, total FROM commerce.place_order($1, $2, idempotency_key => $3)",
		1, string(text), key).Scan(&o.id, &o.status, &o.total)
	return
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	db, err := sql.Open("postgres", "dbname=shop")
	must(err)
	var option, acked int64
	must(db.QueryRow("SELECT option_id FROM commerce.product_options WHERE name = $1", "size M").Scan(&option))

	var o order
	key := "cart-52"
	must(inTransaction(db, func(tx *sql.Tx) (err error) {
		if _, err = tx.Exec("SELECT commerce.charge_balance($1, $2, $3)", 1, 10000, "tx-8813"); err == nil {
			o, err = placeOrder(tx, []item{{option, 2}}, &key)
		}
		return
	}))
	fmt.Printf("order %d is %s: %d\n", o.id, o.status, o.total)

	_, err = placeOrder(db, []item{{option, 99}}, nil)
	if refusal := new(pq.Error); errors.As(err, &refusal) && strings.HasPrefix(string(refusal.Code), "SC") {
		var detail struct {
			Shortages []struct{ Available, Requested int64 }
		}
		must(json.Unmarshal([]byte(refusal.Detail), &detail))
		short := detail.Shortages[0]
		fmt.Printf("%s: %d are left, not %d\n", refusal.Code, short.Available, short.Requested)
	} else {
		must(err)
	}

	rows, err := db.Query(`SELECT event_id, attempt, event_type, payload #>> '{data,order,total}'
		FROM commerce.claim_events(100, '1 minute')`)
	must(err)
	var ids []int64
	var attempts []int32
	for rows.Next() {
		var id int64
		var attempt int32
		var kind, total string
		must(rows.Scan(&id, &attempt, &kind, &total))
		ids, attempts = append(ids, id), append(attempts, attempt)
		fmt.Println(kind, total)
	}
	must(rows.Err())
	must(db.QueryRow("SELECT commerce.ack_events($1, $2)", pq.Array(ids), pq.Array(attempts)).Scan(&acked))
	fmt.Println(acked, "acknowledged")
}
