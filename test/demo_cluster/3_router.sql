CREATE EXTENSION commerce_router CASCADE;
SELECT node_no, is_home FROM commerce_router.add_node(format('host=%s port=%s dbname=postgres user=router', :'socket', :port1), is_home => true);
SELECT node_no, is_home FROM commerce_router.add_node(format('host=%s port=%s dbname=postgres user=router', :'socket', :port2));
SELECT node_no, is_home FROM commerce_router.add_node(format('host=%s port=%s dbname=postgres user=router', :'socket', :port3));
SELECT node_no, count(*) AS buckets FROM commerce_router.buckets GROUP BY node_no ORDER BY node_no;
