\echo Use "ALTER EXTENSION commerce UPDATE TO '1.2'" to load this file. \quit

CREATE TABLE commerce.marks (order_id bigint PRIMARY KEY);
