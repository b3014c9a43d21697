#!/usr/bin/perl
# Prints what a router has in common with its nodes, from the parts of the nodes' script:
#
#   generate.pl types PART...    the types, and a composite type for each table that a function returns
#   generate.pl proxies PART...  by PL/Proxy: each function that is forwarded, at a node
#   generate.pl api PART...      the functions that route.c forwards, as they are declared there
use strict;
use warnings;

my ($what, @parts) = @ARGV;
my @routed = qw(create_user set_user_name erase_user create_product create_product_option set_price
	create_coupon_policy adjust_stock revoke_coupon charge_balance use_balance
	get_balance issue_coupon use_coupon place_order hold_order pay_order cancel_order refund_order
	get_order);
my @others = qw(update_coupon_policy close_coupon_policy spread_stock spread_coupon_quota issue_coupons quote_order
	place_orders expire_orders popular_products purge_idempotency_keys);
my @returned = qw(users balance_history coupon_policies coupons products product_options orders);

my $text = '';
foreach my $part (@parts)
{
	open my $in, '<', $part or die "could not read $part: $!\n";
	local $/;
	$text .= <$in>;
	close $in;
}

sub types
{
	my @types = $text =~ /^(CREATE TYPE .*?;\n)/msg;

	print @types;
	foreach my $table (@returned)
	{
		my ($body) = $text =~ /^CREATE TABLE commerce\.$table \(\n(.*?)^\)/ms or die "no table $table\n";
		my @columns = $body =~ /^\t(\w+\s+(?:commerce\.)?\w+(?:\[\])?)/mg;

		print "CREATE TYPE commerce.$table AS (\n\t", join(",\n\t", grep { !/^(?:PRIMARY|UNIQUE|CHECK)\s/ } @columns), ");\n";
	}
	return;
}

# The declaration of a function: arguments and result.
sub declaration
{
	my ($name) = @_;

	$text =~ /^CREATE FUNCTION commerce\.$name\((.*?)\)\nRETURNS (.*?)\n(?:AS|LANGUAGE|SET)\b/ms
		or die "no function $name\n";
	return ($1, $2);
}

# "user_id bigint DEFAULT 1, name text" as lists of names and types.
sub names_and_types
{
	my ($arguments) = @_;
	my (@names, @types);

	foreach my $argument (split /,\s+/, $arguments)
	{
		my ($name, $type) = $argument =~ /^(\w+) (.*?)(?: DEFAULT .*)?$/s or die "unexpected argument $argument\n";

		push @names, $name;
		push @types, $type;
	}
	return (\@names, \@types);
}

sub proxies
{
	foreach my $name (sort @routed, @others)
	{
		my ($arguments) = declaration($name);
		my ($names, $types) = names_and_types($arguments);
		my $declared = join ', ', map { "$names->[$_] $types->[$_]" } 0 .. $#$names;
		my $passed = join ', ', map { '$' . ($_ + 2) } 0 .. $#$names;

		print <<"END";
CREATE FUNCTION commerce_router.$name(node text, $declared)
RETURNS text
LANGUAGE plproxy AS \$\$
	CONNECT node;
	SELECT commerce.try_$name($passed)::text;
\$\$;
COMMENT ON FUNCTION commerce_router.$name IS 'commerce.try_$name at a node, by its connection string: an answer.';
END
	}
	return;
}

sub api
{
	foreach my $name (@routed)
	{
		my ($arguments, $result) = declaration($name);
		my ($volatility) = $text =~ /^CREATE FUNCTION commerce\.$name\(.*?LANGUAGE C (\w+)/ms;
		my ($comment) = $text =~ /^COMMENT ON FUNCTION commerce\.$name IS\n('.*?');$/ms or die "no comment on $name\n";

		print <<"END";
CREATE FUNCTION commerce.$name($arguments)
RETURNS $result
AS 'MODULE_PATHNAME', 'commerce_route'
LANGUAGE C $volatility PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION commerce.$name IS
$comment;
END
	}
	return;
}

my %print = (types => \&types, proxies => \&proxies, api => \&api);
($print{$what // ''} // die "usage: generate.pl types|proxies|api PART...\n")->();
