// Knex on node-postgres: buys, is refused, and takes the events.
import Knex from 'knex'
import pg from 'pg'

// Without this a bigint is a string: '24000' + 1 is '240001'.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

const knex = Knex({ client: 'pg', connection: { database: 'shop' } })

// Runs it once more as long as somebody else was there first.
async function inTransaction(work, attempts = 10) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await knex.transaction(work, { isolationLevel: 'repeatable read' })
    } catch (e) {
      if (!['40001', '40P01'].includes(e.code) || attempt === attempts) throw e
    }
  }
}

async function placeOrder(db, items, key = null) {
  // An array would become '{...}', an array of PostgreSQL's: items must be text.
  const { rows } = await db.raw('SELECT * FROM commerce.place_order(?, ?, idempotency_key => ?)',
    [1, JSON.stringify(items), key])
  return rows[0]
}

const { option_id } = await knex('product_options').withSchema('commerce')
  .where({ name: 'size M' }).first('option_id')
const order = await inTransaction(async trx => {
  await trx.raw('SELECT * FROM commerce.charge_balance(?, ?, ?)', [1, 10000, 'tx-8813'])
  return placeOrder(trx, [{ option_id, quantity: 2 }], 'cart-52')
})
console.log(`order ${order.order_id} is ${order.status}: ${order.total}`)

try {
  await placeOrder(knex, [{ option_id, quantity: 99 }])
} catch (e) {
  if (!e.code?.startsWith('SC')) throw e
  const [short] = JSON.parse(e.detail).shortages
  console.log(`${e.code}: ${short.available} are left, not ${short.requested}`)
}

const { rows: events } = await knex.raw("SELECT * FROM commerce.claim_events(100, '1 minute')")
for (const event of events) console.log(event.event_type, event.payload.data.order.total)
const { rows: [{ acked }] } = await knex.raw('SELECT commerce.ack_events(?, ?) AS acked',
  [events.map(e => e.event_id), events.map(e => e.attempt)])
console.log(`${acked} acknowledged`)
await knex.destroy()
