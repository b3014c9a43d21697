\echo '\n=== 9. Does it all add up? ===\n'
\echo 'What sold most; what came back does not count.\n'
SELECT * FROM commerce.popular_products();

\echo '\nEvery invariant over all data; a row would be a violation.\n'
\pset footer on
SELECT * FROM commerce.verify();

\echo '\nAnd what whoever operates the shop looks at, here or in Prometheus: how often coupons and'
\echo 'orders were refused, and why; what was sold; what is not delivered.\n'
SELECT labels->>'function' AS function, labels->>'sqlstate' AS sqlstate, value AS calls
FROM commerce.metrics()
WHERE name = 'commerce_calls_total' AND labels->>'function' IN ('issue_coupon', 'place_order')
ORDER BY 1, 2;
SELECT name, value FROM commerce.metrics()
WHERE name IN ('commerce_units_sold_total', 'commerce_money_sold_total', 'commerce_money_refunded_total')
ORDER BY 1;
SELECT labels->>'status' AS status, value AS events FROM commerce.metrics()
WHERE name = 'commerce_undelivered_events' ORDER BY 1;
