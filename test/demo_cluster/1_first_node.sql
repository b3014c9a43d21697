CREATE EXTENSION commerce;
-- Whoever the router comes as.
CREATE ROLE router LOGIN;
SELECT commerce.grant_access('router', 'router');
-- The first node has a third of the users, and is home to the catalogue. In earnest it has
-- a synchronous standby.
SELECT node_no, first_id FROM commerce.join_cluster(1, '{[0,1365)}', force => true);
SELECT commerce.publish_catalogue();
