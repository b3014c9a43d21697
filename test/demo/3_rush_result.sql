\echo '\n... and exactly 100 of them have one.\n'
SELECT answer, count(*) FROM answers GROUP BY answer ORDER BY count(*);
SELECT quantity, issued, remaining FROM commerce.coupon_quota WHERE policy_id = 1;
