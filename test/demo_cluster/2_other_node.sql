CREATE EXTENSION commerce;
CREATE ROLE router LOGIN;
SELECT commerce.grant_access('router', 'router');
SELECT node_no, first_id FROM commerce.join_cluster(:n, :'buckets', :first_id, force => true);
-- It follows the catalogue of the first.
CREATE SUBSCRIPTION commerce_node_:n CONNECTION :'home'
	PUBLICATION commerce_catalogue WITH (synchronous_commit = local);
