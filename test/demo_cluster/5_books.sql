-- Nothing is on its way any more once somebody has looked.
SELECT * FROM commerce_router.sweep('stock', 1);
SELECT product_id, name, quantity FROM commerce.popular_products();
SELECT * FROM commerce.stock;
-- Every node's books, and that every transfer arrived once.
SELECT count(*) AS violations FROM commerce.verify();
