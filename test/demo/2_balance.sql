\echo '\n=== 2. Balance ===\n'
\echo 'Kim charges 100,000; the first charge opens the account. Lee charges 20,000.\n'
SELECT entry_no, type, amount, balance_after FROM commerce.charge_balance(1, 100000);
SELECT entry_no, type, amount, balance_after FROM commerce.charge_balance(2, 20000);

\echo '\nThe network failed and the app charges again under the same key: nothing is charged twice.\n'
SELECT entry_no, type, amount, balance_after FROM commerce.charge_balance(1, 5000, 'charge-7f3a');
SELECT entry_no, type, amount, balance_after FROM commerce.charge_balance(1, 5000, 'charge-7f3a');

\echo '\nRefused: a charge of nothing.\n'
SELECT * FROM commerce.charge_balance(1, 0);

\echo '\nKim uses 3,000.\n'
SELECT entry_no, type, amount, balance_after FROM commerce.use_balance(1, 3000);

\echo '\nRefused: a use of less than nothing.\n'
SELECT * FROM commerce.use_balance(1, -3000);

\echo '\nRefused: Park never charged and has no account.\n'
SELECT * FROM commerce.use_balance(3, 3000);

\echo '\nRefused: Lee has only 20,000.\n'
SELECT * FROM commerce.use_balance(2, 30000);

\echo '\nWhat Kim''s account went through:\n'
SELECT entry_no, type, amount, balance_after FROM commerce.balance_history
WHERE user_id = 1 ORDER BY entry_no;
