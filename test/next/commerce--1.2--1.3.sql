\echo Use "ALTER EXTENSION commerce UPDATE TO '1.3'" to load this file. \quit

ALTER TYPE commerce.order_status ADD VALUE 'returned' AFTER 'disputed';
