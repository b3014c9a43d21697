\echo '\nThe receiver has a bad moment: it will fail once. Kim buys another one, in L.\n'
SELECT order_id, status, total FROM commerce.place_order(1, '[{"option_id": 2, "quantity": 1}]');
\echo '\nThe event is not to blame: it is given back, no failure is counted, and it is tried again:\n'
