// lib/pq and a pool: a line for each way, with what it comes to.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lib/pq"
)

const balance = "SELECT commerce.get_balance($1)"

func outcome(err error) string {
	var e *pq.Error
	if errors.As(err, &e) {
		return string(e.Code)
	} else if err != nil {
		return "fails"
	}
	return "works"
}

func prepared() {
	db, _ := sql.Open("postgres", "dbname=shop")
	other, _ := sql.Open("postgres", "dbname=shop binary_parameters=yes")
	statement, _ := db.Prepare(balance)
	_, first := statement.Exec(1)
	// The server's session that has run it is somebody else's now.
	tx, _ := other.Begin()
	tx.Exec("SELECT 1")
	_, second := statement.Exec(1)
	tx.Rollback()
	fmt.Printf("lib/pq, Prepare: %s %s\n", outcome(first), outcome(second))
}

// Many at once ask a question each, until one has another's answer or for some seconds.
func crowded(name, conninfo string, most time.Duration) {
	var all sync.WaitGroup
	var swapped int32
	end := time.Now().Add(most)
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			db, _ := sql.Open("postgres", conninfo)
			defer db.Close()
			question := fmt.Sprintf("SELECT %d + $1::int", i)
			for time.Now().Before(end) && atomic.LoadInt32(&swapped) == 0 {
				var answer int
				err := db.QueryRow(question, 0).Scan(&answer)
				code := outcome(err)
				// A refusal answers a call of commerce, which is another's question too.
				if err == nil && answer != i || strings.HasPrefix(code, "SC") {
					atomic.StoreInt32(&swapped, 1)
				} else if err != nil && code != "26000" {
					log.Fatal(err)
				}
			}
		}(i)
	}
	all.Wait()
	fmt.Printf("lib/pq, %s: %s\n", name, []string{"works", "another's answer"}[swapped])
}

// Here []byte is taken for what jsonb is in binary.
func items(name string, items any) {
	db, _ := sql.Open("postgres", "dbname=shop binary_parameters=yes")
	_, err := db.Exec("SELECT commerce.quote_order(1, $1)", items)
	fmt.Printf("lib/pq, %s with binary_parameters=yes: %s\n", name, outcome(err))
}

func main() {
	prepared()
	items("items as []byte", []byte(`[{"option_id": 1, "quantity": 1}]`))
	items("items as string", `[{"option_id": 1, "quantity": 1}]`)
	crowded("arguments", "dbname=shop", 30*time.Second)
	crowded("binary_parameters=yes", "dbname=shop binary_parameters=yes", 2*time.Second)
}
