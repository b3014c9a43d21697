\echo '\nKim buys a T-shirt.\n'
SELECT order_id, status, total FROM commerce.place_order(1, '[{"option_id": 1, "quantity": 1}]');
