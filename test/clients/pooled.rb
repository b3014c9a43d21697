# Ruby's pg and a pool: a line for each way, with what it comes to.
require 'pg'

def show(name, db)
  other = PG.connect(dbname: 'shop')
  result = [1, 2].map do |i|
    yield
    'works'
  rescue PG::ServerError => e
    e.result.error_field(PG::PG_DIAG_SQLSTATE)
  ensure
    # The server's session that has run it is somebody else's now.
    other.exec('BEGIN; SELECT 1') if i == 1
  end
  puts "pg.rb, #{name}: #{result.join(' ')}"
  [db, other].each(&:close)
end

BALANCE = 'SELECT commerce.get_balance($1)'
db = PG.connect(dbname: 'shop')
db.prepare('balance', BALANCE)
show('prepare', db) { db.exec_prepared('balance', [1]) }
other = PG.connect(dbname: 'shop')
show('exec_params', other) { other.exec_params(BALANCE, [1]) }
