\echo '\nThe receiver has a bad moment: it will fail twice. Kim buys another one, in L.\n'
SELECT order_id, status, total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
\echo '\nThe outbox keeps the event, and the error:\n'
