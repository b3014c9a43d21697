// node-postgres: buys, is refused, and takes the events.
import pg from 'pg'

// Without this a bigint is a string: '24000' + 1 is '240001'. A Number is exact up to
// 2^53, as every id is; where an amount may be greater, take BigInt.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

const pool = new pg.Pool({ database: 'shop' })

// Runs it once more as long as somebody else was there first.
async function inTransaction(work, attempts = 10) {
  const client = await pool.connect()
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
        const result = await work(client)
        await client.query('COMMIT')
        return result
      } catch (e) {
        await client.query('ROLLBACK').catch(() => {})
        if (!['40001', '40P01'].includes(e.code) || attempt === attempts) throw e
      }
    }
  } finally {
    client.release()
  }
}

async function placeOrder(client, items, key = null) {
  // An array would become '{...}', an array of PostgreSQL's: items must be text.
  const { rows } = await client.query({
    name: 'place_order', // a name: prepared once in each connection
    text: 'SELECT * FROM commerce.place_order($1, $2, idempotency_key => $3)',
    values: [1, JSON.stringify(items), key],
  })
  return rows[0]
}

const { rows: [{ option_id }] } = await pool.query(
  'SELECT option_id FROM commerce.product_options WHERE name = $1', ['size M'])
const order = await inTransaction(async client => {
  await client.query('SELECT * FROM commerce.charge_balance($1, $2, $3)', [1, 10000, 'tx-8813'])
  return placeOrder(client, [{ option_id, quantity: 2 }], 'cart-52')
})
console.log(`order ${order.order_id} is ${order.status}: ${order.total}`)

try {
  await placeOrder(pool, [{ option_id, quantity: 99 }])
} catch (e) {
  if (!e.code?.startsWith('SC')) throw e
  const [short] = JSON.parse(e.detail).shortages
  console.log(`${e.code}: ${short.available} are left, not ${short.requested}`)
}

const { rows: events } = await pool.query("SELECT * FROM commerce.claim_events(100, '1 minute')")
for (const event of events) console.log(event.event_type, event.payload.data.order.total)
// Here an array of PostgreSQL's is what is wanted.
const { rows: [{ acked }] } = await pool.query('SELECT commerce.ack_events($1, $2) AS acked',
  [events.map(e => e.event_id), events.map(e => e.attempt)])
console.log(`${acked} acknowledged`)
await pool.end()
