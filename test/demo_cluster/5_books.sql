-- Nothing is on its way any more once somebody has looked.
SELECT * FROM commerce_router.sweep('stock', 1);
SELECT product_id, name, quantity FROM commerce.popular_products();
SELECT * FROM commerce.stock;
-- Every node's books, and that every transfer arrived once.
SELECT count(*) AS violations FROM commerce.verify();
-- A bucket of users goes to another node, with all that they have.
SELECT commerce.bucket(1), node_no AS "from" FROM commerce_router.node_of(1);
SELECT commerce_router.move_bucket(commerce.bucket(1), CASE node_no WHEN 2 THEN 3 ELSE 2 END) FROM commerce_router.node_of(1);
SELECT commerce.bucket(1), node_no AS "at" FROM commerce_router.node_of(1);
SELECT balance_after FROM commerce.charge_balance(1, 5);
SELECT count(*) AS violations FROM commerce.verify();
