// The drivers of Node.js and a pool: a line for each way, with what it comes to.
import pg from 'pg'
import postgres from 'postgres'

async function show(name, ask, occupy) {
  const result = []
  for (let i = 0; i < 2; i++) {
    try {
      await ask()
      result.push('works')
    } catch (e) {
      result.push(e.code)
    }
    // The server's session that has run it is somebody else's now.
    if (i === 0) await occupy()
  }
  console.log(`${name}: ${result.join(' ')}`)
}

async function viaPg(name, options) {
  const [client, other] = [1, 2].map(() => new pg.Client({ database: 'shop' }))
  await client.connect()
  await other.connect()
  await show(`node-postgres, ${name}`,
    () => client.query({ ...options, text: 'SELECT commerce.get_balance($1)', values: [1] }),
    () => other.query('BEGIN; SELECT 1'))
  await client.end()
  await other.end()
}
await viaPg('a name', { name: 'balance' })
await viaPg('no name', {})

async function viaPostgres(name, options, ask) {
  const [sql, other] = [1, 2].map(() => postgres({ database: 'shop', max: 1, fetch_types: false, ...options }))
  let free
  const held = new Promise(resolve => { free = resolve })
  let done
  await show(`postgres.js, ${name}`,
    () => ask(sql),
    () => new Promise(resolve => {
      done = other.begin(async tx => {
        await tx`SELECT 1`
        resolve()
        await held
      })
    }))
  free()
  await done
  await sql.end()
  await other.end()
}
const ask = sql => sql`SELECT commerce.get_balance(${1})`
await viaPostgres('prepared', {}, ask)
await viaPostgres('prepared, in a transaction', {}, sql => sql.begin(ask))
await viaPostgres('prepare: false', { prepare: false }, sql => sql.begin(ask))
