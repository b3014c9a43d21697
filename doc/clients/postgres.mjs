// postgres.js: buys, is refused, and takes the events.
import postgres from 'postgres'

// Without this a bigint is a string: '24000' + 1 is '240001'. A Number is exact up to
// 2^53, as every id is; where an amount may be greater, take postgres.BigInt.
const int8 = { to: 20, from: [20], serialize: String, parse: Number }
const sql = postgres({ database: 'shop', types: { int8 } })

// Runs it once more as long as somebody else was there first.
async function inTransaction(work, attempts = 10) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await sql.begin('ISOLATION LEVEL REPEATABLE READ', work)
    } catch (e) {
      if (!['40001', '40P01'].includes(e.code) || attempt === attempts) throw e
    }
  }
}

// It asks the server for each parameter's type: items are given as they are, since text
// would become a JSON string.
async function placeOrder(sql, items, key = null) {
  const [order] = await sql`
    SELECT * FROM commerce.place_order(${1}, ${items}, idempotency_key => ${key})`
  return order
}

const [{ option_id }] = await sql`
  SELECT option_id FROM commerce.product_options WHERE name = ${'size M'}`
const order = await inTransaction(async sql => {
  await sql`SELECT * FROM commerce.charge_balance(${1}, ${10000}, ${'tx-8813'})`
  return placeOrder(sql, [{ option_id, quantity: 2 }], 'cart-52')
})
console.log(`order ${order.order_id} is ${order.status}: ${order.total}`)

try {
  await placeOrder(sql, [{ option_id, quantity: 99 }])
} catch (e) {
  if (!e.code?.startsWith('SC')) throw e
  const [short] = JSON.parse(e.detail).shortages
  console.log(`${e.code}: ${short.available} are left, not ${short.requested}`)
}

const events = await sql`SELECT * FROM commerce.claim_events(100, '1 minute')`
for (const event of events) console.log(event.event_type, event.payload.data.order.total)
const [{ acked }] = await sql`
  SELECT commerce.ack_events(${events.map(e => e.event_id)}, ${events.map(e => e.attempt)}) AS acked`
console.log(`${acked} acknowledged`)
await sql.end()
