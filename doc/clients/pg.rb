# Ruby pg: buys, is refused, and takes the events.
require 'json'
require 'pg'

DB = PG.connect(dbname: 'shop')
# Without it every value is a string. Those of our enums are, without a warning.
DB.type_map_for_results = PG::BasicTypeMapForResults.new(DB)
DB.type_map_for_results.default_type_map = PG::TypeMapAllStrings.new
# An array does not become one of PostgreSQL's by itself.
INTEGERS = PG::TextEncoder::Array.new(elements_type: PG::TextEncoder::Integer.new)

def query(sql, *parameters)
  DB.exec_params(sql, parameters).map { |row| row.transform_keys(&:to_sym) }
end

# Runs it once more as long as somebody else was there first.
def in_transaction(attempts = 10)
  DB.transaction do
    DB.exec('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    yield
  end
rescue PG::TRSerializationFailure, PG::TRDeadlockDetected
  (attempts -= 1).positive? ? retry : raise
end

def place_order(items, key = nil)
  query('SELECT * FROM commerce.place_order($1, $2, idempotency_key => $3)', 1, JSON.generate(items), key).first
end

option_id = query('SELECT option_id FROM commerce.product_options WHERE name = $1', 'size M').first[:option_id]
order = in_transaction do
  query('SELECT * FROM commerce.charge_balance($1, $2, $3)', 1, 10_000, 'tx-8813')
  place_order([{ option_id: option_id, quantity: 2 }], 'cart-52')
end
puts "order #{order[:order_id]} is #{order[:status]}: #{order[:total]}"

begin
  place_order([{ option_id: option_id, quantity: 99 }])
rescue PG::ServerError => e
  sqlstate = e.result.error_field(PG::PG_DIAG_SQLSTATE)
  raise unless sqlstate.start_with?('SC')

  short = JSON.parse(e.result.error_field(PG::PG_DIAG_MESSAGE_DETAIL))['shortages'].first
  puts "#{sqlstate}: #{short['available']} are left, not #{short['requested']}"
end

events = query("SELECT * FROM commerce.claim_events(100, '1 minute')")
events.each { |event| puts "#{event[:event_type]} #{event[:payload].dig('data', 'order', 'total')}" }
ids, attempts = %i[event_id attempt].map { |column| INTEGERS.encode(events.map { |event| event[column] }) }
puts "#{query('SELECT commerce.ack_events($1, $2)', ids, attempts).first[:ack_events]} acknowledged"
