\echo '\n=== 9. Does it all add up? ===\n'
\echo 'What sold most; what came back does not count.\n'
SELECT * FROM commerce.popular_products();

\echo '\nEvery invariant over all data; a row would be a violation.\n'
\pset footer on
SELECT * FROM commerce.verify();
