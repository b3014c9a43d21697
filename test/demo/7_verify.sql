\echo '\n=== 7. Does it all add up? ===\n'
\echo 'Every invariant over all data; a row would be a violation.\n'
\pset footer on
SELECT * FROM commerce.verify();
