# What goes wrong with Ruby's pg, and what does not: a line for each.
require 'json'
require 'pg'

DB = PG.connect(dbname: 'shop')

def show(name)
  result = yield
  puts "pg.rb: #{name}: #{result.class} #{result}"
rescue PG::ServerError => e
  puts "pg.rb: #{name}: #{e.result.error_field(PG::PG_DIAG_SQLSTATE)} as #{e.class}"
end

def query(sql, *parameters) = DB.exec_params(sql, parameters).getvalue(0, 0)

ACK = 'SELECT commerce.ack_events($1, $2)'
integers = PG::TextEncoder::Array.new(elements_type: PG::TextEncoder::Integer.new)
show('a bigint') { query('SELECT price FROM commerce.product_options') }
show('a quantity passed back') do
  items = [{ option_id: 1, quantity: query('SELECT available FROM commerce.stock') }]
  query('SELECT line_total FROM commerce.quote_order(1, $1)', JSON.generate(items))
end
show('an array') { query(ACK, [1], [1]) }
show('an array that is encoded') { query(ACK, integers.encode([1]), integers.encode([1])) }
DB.type_map_for_results = PG::BasicTypeMapForResults.new(DB)
show('a bigint with a type map') { query('SELECT price FROM commerce.product_options') }
