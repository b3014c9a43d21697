#!/usr/bin/perl
# Makes the next version of the sources in the current folder, as a release would: 1.1,
# which brings a column, an argument, a table, a sequence, an enum label and two
# functions; and two upgrades behind it, 1.2 of a table alone and 1.3 of a label alone.
#
# The tests of versions build it in a copy. Each change names the line that it changes;
# where that line is gone, this program says so.
use strict;
use warnings;
use File::Basename;
use File::Copy;

my $next = dirname(__FILE__);

sub read_file
{
	my ($name) = @_;
	open my $in, '<', $name or die "could not read $name: $!";
	local $/;
	return scalar <$in>;
}

sub write_file
{
	my ($name, $text) = @_;
	open my $out, '>', $name or die "could not write $name: $!";
	print $out $text;
	close $out or die "could not write $name: $!";
	return;
}

# The new text in place of the only old one. Pairs of old and new.
sub change
{
	my ($name, @changes) = @_;
	my $text = read_file($name);

	while (my ($old, $new) = splice @changes, 0, 2)
	{
		my @parts = split /\Q$old\E/, $text, -1;
		die "$name must have once: $old" if @parts != 2;
		$text = join $new, @parts;
	}
	write_file($name, $text);
	return;
}

# What an upgrade script takes over from a part of the install script: all of it, or
# the one object with its comment.
sub take_over
{
	my ($part, $create) = @_;
	my $text = read_file("sql/$part");

	return $text if !defined $create;
	return $text =~ /^(DO \$\$\n.*?^\$\$;\n)/ms ? $1 : die "sql/$part must have a DO" if $create eq 'DO';
	my ($how, $name) = $create =~ /^(.*) FUNCTION (\S+)$/;
	my ($function) = $text =~
		/^CREATE (FUNCTION \Q$name\E\(.*?^COMMENT ON FUNCTION \Q$name\E .*?;\n)/ms
		or die "sql/$part must have $name";
	return "$how $function";
}

change('commerce.control', q(default_version = '1.0') => q(default_version = '1.1'));

change('src/base/tables.def',
	qq(COLUMN(ORDERS_CLOSED_BY, "closed_by", TEXTOID, V(1, 0))\n) => <<'NEW',
COLUMN(ORDERS_CLOSED_BY, "closed_by", TEXTOID, V(1, 0))
COLUMN(ORDERS_MEMO, "memo", TEXTOID, V(1, 1))
NEW
	qq(SEQUENCE(USER_ID, "user_id_seq", V(1, 0))\n) => <<'NEW',
TABLE(ORDER_MEMOS, "order_memos", 1, true, V(1, 1))
COLUMN(ORDER_MEMOS_MEMO_ID, "memo_id", INT8OID, V(1, 1))
COLUMN(ORDER_MEMOS_ORDER_ID, "order_id", INT8OID, V(1, 1))
COLUMN(ORDER_MEMOS_MEMO, "memo", TEXTOID, V(1, 1))
TABLE_END(ORDER_MEMOS)

TABLE(MARKS, "marks", 1, false, V(1, 2))
COLUMN(MARKS_ORDER_ID, "order_id", INT8OID, V(1, 2))
TABLE_END(MARKS)

SEQUENCE(USER_ID, "user_id_seq", V(1, 0))
SEQUENCE(MEMO_ID, "memo_id_seq", V(1, 1))
NEW
	qq(LABEL(ORDER_EXPIRED, "order_status", "expired", V(1, 0))\n) => <<'NEW');
LABEL(ORDER_EXPIRED, "order_status", "expired", V(1, 0))
LABEL(ORDER_DISPUTED, "order_status", "disputed", V(1, 1))
LABEL(ORDER_RETURNED, "order_status", "returned", V(1, 3))
NEW

change('src/base/metrics.def', "CALLS(ack_events)\n" => "CALLS(ack_events)\nCALLS(add_memo)\nCALLS(mark_order)\n");

# The sixth argument. A key that stands for a request of before stands for it still.
change('src/order/order_request.h',
	"	TimestampTz expires_at;" => "	text	   *memo;				/* or NULL */\n	TimestampTz expires_at;");
change('src/order/order_request.c',
	"	if (request->ttl)\n		appendStringInfo" =>
	qq(	if (request->memo)\n		appendStringInfo(text, "memo %s,", text_to_cstring(request->memo));\n)
	. "	if (request->ttl)\n		appendStringInfo");
change('src/order/order_place.c',
	qq(		{"coupon_id", INT8OID, true},\n		{"idempotency_key", TEXTOID, true},\n)
	. qq(		{"expected_total", INT8OID, true}\n) =>
	qq(		{"coupon_id", INT8OID, true},\n		{"idempotency_key", TEXTOID, true},\n)
	. qq(		{"expected_total", INT8OID, true},\n)
	. qq(		{"memo", TEXTOID, true, SCHEMA_VERSION(1, 1)}\n),
	"	order_request_read_expected_total(fcinfo, 4, &request);\n" =>
	"	order_request_read_expected_total(fcinfo, 4, &request);\n"
	. "	if (!args_is_null(fcinfo, 5))\n		request.memo = PG_GETARG_TEXT_PP(5);\n");
change('src/order/order_insert.c',
	"	row_insert(order);\n" =>
	"	if (request->memo)\n		row_set(order, ORDERS_MEMO, PointerGetDatum(request->memo));\n"
	. "	else if (table_has_column(TABLE_ORDERS, ORDERS_MEMO))\n"
	. qq(		row_set(order, ORDERS_MEMO, CStringGetTextDatum("none"));\n)
	. "	row_insert(order);\n",
	qq(#include "order/order_insert.h"\n) => qq(#include "order/order_insert.h"\n#include "utils/builtins.h"\n));
copy("$next/memo.c", 'src/order/memo.c') or die $!;

# The install script.
change('sql/10_types.sql', "('pending', 'paid', " => "('pending', 'paid', 'disputed', ");
change('sql/30_tables.sql',
	"	closed_by		text\n" =>
	"	closed_by		text,\n	memo			text NOT NULL DEFAULT 'none' CHECK (memo <> '')\n",
	"COMMENT ON TABLE commerce.orders IS" =>
	"COMMENT ON COLUMN commerce.orders.memo IS 'What was noted when it was made.';\n"
	. "COMMENT ON TABLE commerce.orders IS");
change('sql/53_orders.sql',
	"CREATE FUNCTION commerce.place_order(user_id bigint, items jsonb,\n"
	. "	coupon_id bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,\n"
	. "	expected_total bigint DEFAULT NULL)" =>
	"CREATE FUNCTION commerce.place_order(user_id bigint, items jsonb,\n"
	. "	coupon_id bigint DEFAULT NULL, idempotency_key text DEFAULT NULL,\n"
	. "	expected_total bigint DEFAULT NULL, memo text DEFAULT NULL)",
	"COMMENT ON FUNCTION commerce.place_order IS\n'" =>
	"COMMENT ON FUNCTION commerce.place_order IS\n'memo: NULL is none. ");
change('sql/70_access.sql',
	"products, product_options, stock_adjustments, orders, order_items, events," =>
	"products, product_options, stock_adjustments, orders, order_items, order_memos, events,",
	"('app', 'EXECUTE', '{create_user," => "('app', 'EXECUTE', '{add_memo, mark_order, create_user,");
copy("$next/56_memos.sql", 'sql/56_memos.sql') or die $!;

# The upgrade scripts, last.
foreach my $script (glob "$next/commerce--*--*.sql")
{
	my $text = read_file($script);

	$text =~ s/^@(\S+)(?: (.+))?\n/take_over($1, $2)/gme;
	write_file('sql/' . basename($script), $text);
}
