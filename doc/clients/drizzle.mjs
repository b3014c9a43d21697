// Drizzle on node-postgres: buys, is refused, and takes the events.
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'

// Without this a bigint is a string: '24000' + 1 is '240001'.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

const pool = new pg.Pool({ database: 'shop' })
const db = drizzle(pool)

// What the server says is the cause of what Drizzle throws.
const code = e => e.cause?.code ?? e.code ?? ''

// Runs it once more as long as somebody else was there first.
async function inTransaction(work, attempts = 10) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.transaction(work, { isolationLevel: 'repeatable read' })
    } catch (e) {
      if (!['40001', '40P01'].includes(code(e)) || attempt === attempts) throw e
    }
  }
}

async function placeOrder(db, items, key = null) {
  // A bare array would become a list of parameters: items must be text.
  const { rows } = await db.execute(sql`SELECT * FROM commerce.place_order(
    ${1}, ${JSON.stringify(items)}, idempotency_key => ${key})`)
  return rows[0]
}

const { rows: [{ option_id }] } = await db.execute(sql`
  SELECT option_id FROM commerce.product_options WHERE name = ${'size M'}`)
const order = await inTransaction(async tx => {
  await tx.execute(sql`SELECT * FROM commerce.charge_balance(${1}, ${10000}, ${'tx-8813'})`)
  return placeOrder(tx, [{ option_id, quantity: 2 }], 'cart-52')
})
console.log(`order ${order.order_id} is ${order.status}: ${order.total}`)

try {
  await placeOrder(db, [{ option_id, quantity: 99 }])
} catch (e) {
  if (!code(e).startsWith('SC')) throw e
  const [short] = JSON.parse(e.cause.detail).shortages
  console.log(`${code(e)}: ${short.available} are left, not ${short.requested}`)
}

const { rows: events } = await db.execute(sql`SELECT * FROM commerce.claim_events(100, '1 minute')`)
for (const event of events) console.log(event.event_type, event.payload.data.order.total)
const ids = sql.param(events.map(e => e.event_id)), attempts = sql.param(events.map(e => e.attempt))
const { rows: [{ acked }] } = await db.execute(sql`
  SELECT commerce.ack_events(${ids}, ${attempts}) AS acked`)
console.log(`${acked} acknowledged`)
await pool.end()
