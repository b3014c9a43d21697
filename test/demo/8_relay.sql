\set ON_ERROR_STOP on
\echo '\n=== 8. The shop''s other systems are told ===\n'
\echo 'The relay may read and transmit, nothing else:\n'
CREATE ROLE relay LOGIN;
\pset tuples_only on
SELECT commerce.grant_access('relay', 'relay');

\echo '\nIt signs what it sends with a secret it shares with the receiver:'
