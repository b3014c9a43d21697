// What goes wrong with the drivers of Node.js, and what does not: a line for each.
import { sql as template } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import Knex from 'knex'
import pg from 'pg'
import postgres from 'postgres'

async function show(name, work) {
  try {
    const result = await work()
    console.log(`${name}: ${typeof result} ${result}`)
  } catch (e) {
    console.log(`${name}: ${e.code ?? (e.cause?.code ? `cause ${e.cause.code}` : e.name)}`)
  }
}

const quote = 'SELECT line_total FROM commerce.quote_order(1, $1)'
const items = [{ option_id: 1, quantity: 1 }]
const total = result => (result.rows ?? result)[0].line_total

const pool = new pg.Pool({ database: 'shop' })
await show('pg: a bigint', async () => (await pool.query('SELECT price FROM commerce.product_options')).rows[0].price)
await show('pg: its option_id passed back', async () => {
  const { rows: [{ option_id }] } = await pool.query('SELECT option_id FROM commerce.product_options')
  return total(await pool.query(quote, [JSON.stringify([{ option_id, quantity: 1 }])]))
})
await show('pg: its quantity passed back', async () => {
  const { rows: [{ available }] } = await pool.query('SELECT available FROM commerce.stock')
  return total(await pool.query(quote, [JSON.stringify([{ option_id: 1, quantity: available }])]))
})
await show('pg: items as an array', async () => total(await pool.query(quote, [items])))
await show('pg: items as text', async () => total(await pool.query(quote, [JSON.stringify(items)])))
await show('pg: a BigInt in items', () => JSON.stringify([{ option_id: 1n, quantity: 1 }]))
await show('pg: a BigInt as a parameter', async () =>
  (await pool.query('SELECT commerce.get_balance($1)', [1n])).rows[0].get_balance)
await show('pg: an array for ack_events', async () =>
  (await pool.query('SELECT commerce.ack_events($1, $2)', [['1'], [1]])).rows[0].ack_events)

const sql = postgres({ database: 'shop' })
await show('postgres: a bigint', async () => (await sql`SELECT price FROM commerce.product_options`)[0].price)
await show('postgres: items as an array', async () =>
  total(await sql`SELECT line_total FROM commerce.quote_order(1, ${items})`))
await show('postgres: items as text', async () =>
  total(await sql`SELECT line_total FROM commerce.quote_order(1, ${JSON.stringify(items)})`))
await show('postgres: items as text that is cast', async () =>
  total(await sql`SELECT line_total FROM commerce.quote_order(1, ${JSON.stringify(items)}::text::jsonb)`))
await show('postgres: an array for ack_events', async () =>
  (await sql`SELECT commerce.ack_events(${['1']}, ${[1]})`)[0].ack_events)
await sql.end()

const knex = Knex({ client: 'pg', connection: { database: 'shop' } })
const knexQuote = quote.replace('$1', '?')
await show('knex: items as an array', async () => total(await knex.raw(knexQuote, [items])))
await show('knex: items as text', async () => total(await knex.raw(knexQuote, [JSON.stringify(items)])))
await show('knex: an option_id', async () => (await knex('commerce.product_options').first('option_id')).option_id)
await knex.destroy()

const db = drizzle(pool)
const drizzleQuote = items => db.execute(template`SELECT line_total FROM commerce.quote_order(1, ${items})`)
await show('drizzle: items as an array', async () => total(await drizzleQuote(items)))
await show('drizzle: items as text', async () => total(await drizzleQuote(JSON.stringify(items))))
await show('drizzle: a refusal', () => drizzleQuote('[]'))
await show('drizzle: an array for ack_events', async () =>
  (await db.execute(template`SELECT commerce.ack_events(${[1, 2]}, ${[1, 1]})`)).rows[0].ack_events)
await show('drizzle: a param of an array for ack_events', async () => (await db.execute(
  template`SELECT commerce.ack_events(${template.param([1])}, ${template.param([1])})`)).rows[0].ack_events)
await pool.end()
