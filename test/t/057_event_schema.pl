# doc/events.schema.json describes every event's payload: real ones of all kinds are
# valid, and none is that lacks something or has it in another form. doc/asyncapi.yaml
# says the same of commerce_relay's requests, by the rules of AsyncAPI 3.0.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use JSON::PP;
use Storable 'dclone';
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Documents;
use NodeModules;
use Processes;

my $json = JSON::PP->new->canonical->allow_nonref->allow_bignum;
my $schema = root() . '/doc/events.schema.json';

# Reads JSON lines, and prints for each the types of event it is valid as.
my $validator = write_file(<<'PYTHON');
import json, sys
from jsonschema import Draft202012Validator

schema = json.load(open(sys.argv[1]))
Draft202012Validator.check_schema(schema)
whole = Draft202012Validator(schema)
for line in sys.stdin:
    payload = json.loads(line)
    print(payload.get("type") if whole.is_valid(payload) else
          "refused: " + str(max((c for e in whole.iter_errors(payload) for c in e.context),
                                key=lambda c: len(c.path)).message)[:200])
PYTHON

# What a validator says of each of these payloads.
sub judge
{
	my @payloads = map { ref ? $json->encode($_) : $_ } @_;
	my $file = write_file(join '', map { "$_\n" } @payloads);
	my $said = qx(/usr/bin/python3 $validator $schema <$file 2>&1);

	$? == 0 or die "no validator: $said";
	return split /\n/, $said;
}

# ---- real payloads ----

my $node = new_server('schema');
$node->safe_psql('postgres', q(
	SELECT commerce.create_user('buyer', 1), commerce.charge_balance(1, 1000000000000);
	SELECT commerce.create_product('shirt', 1);
	SELECT commerce.create_product_option(1, 'red', 999, 1000, 1),
		commerce.create_product_option(1, 'blue', 0, 1000, 2),
		commerce.create_product_option(1, 'gold', 500000000000, 1000, 3);
	SELECT commerce.create_coupon_policy('tenth', 'percent', 10, 10);
	SELECT commerce.create_coupon_policy('gift', 'percent', 100, 10);
	SELECT commerce.issue_coupon(1, 1), commerce.issue_coupon(1, 2);));

# What the tables have is what it describes.
foreach my $object ([ order => 'orders' ], [ order_line => 'order_items' ])
{
	my ($name, $table) = @$object;
	my %described = %{ $json->decode(slurp_file($schema))->{'$defs'}{$name} };
	my $columns = $node->safe_psql('postgres', "SELECT attname FROM pg_attribute
		WHERE attrelid = 'commerce.$table'::regclass AND attnum > 0
		  AND (attname <> 'order_id' OR attrelid = 'commerce.orders'::regclass)");

	is_deeply([ sort keys %{ $described{properties} } ],
		[ sort split(/\n/, $columns), $name eq 'order' ? 'items' : () ],
		"it describes every column of $table");
	is_deeply([ sort @{ $described{required} } ], [ sort keys %{ $described{properties} } ],
		'all of which are there');
}

sub buy
{
	my ($items, $more) = @_;
	return $node->safe_psql('postgres',
		"SELECT order_id FROM commerce.place_order(1, '$items'" . ($more // '') . ')');
}
sub change
{
	my ($call) = @_;
	$node->safe_psql('postgres', "SELECT commerce.$call");
	return;
}

my $items = items([ 1, 3 ], [ 2, 1 ]);
my $some = items([ 1, 1 ]);
buy($items);
buy(items([ 3, 1 ]));
# With a coupon, refunded in two steps; the rest gives the coupon back.
my $order = buy($items, ', coupon_id => 1');
change("refund_order($order, '$some', restock => false)");
change("refund_order($order, '" . items([ 1, 2 ], [ 2, 1 ]) . "')");
# For nothing, and refunded so.
$order = buy($some, ', coupon_id => 2');
change("refund_order($order, '$some')");
# Cancelled, with and without a reason.
$order = buy($items);
change("cancel_order($order)");
$order = buy($some);
change(qq{cancel_order($order, E'"sold"\\n\\ttwice \\U0001F455', restock => false)});
# Held and paid, then refunded; held and never paid, which is no event.
foreach my $then ('pay_order(%s)', 'cancel_order(%s)')
{
	$order = $node->safe_psql('postgres', "SELECT order_id FROM commerce.hold_order(1, '$some')");
	change(sprintf $then, $order);
	change("refund_order($order, '$some')") if $then =~ /pay/;
}
# The shop adds columns.
$node->safe_psql('postgres', q(
	ALTER TABLE commerce.orders ADD COLUMN note text DEFAULT 'by bicycle';
	ALTER TABLE commerce.order_items ADD COLUMN gift boolean DEFAULT true;));
buy($some);

# Of one order only the oldest unfinished event can be claimed. What is claimed the
# first time shows all orders as they are in the end.
my @payloads;
while (my $claimed = $node->safe_psql('postgres', q(
	WITH claimed AS MATERIALIZED (SELECT * FROM commerce.claim_events())
	SELECT payload FROM claimed ORDER BY event_id)))
{
	push @payloads, split /\n/, $claimed;
	$node->safe_psql('postgres', q(SELECT commerce.ack_events(array_agg(event_id), array_agg(attempt))
		FROM commerce.deliveries WHERE status = 'running'));
}
my %count;
$count{ decode_json($_)->{type} }++ foreach @payloads;
is_deeply(\%count, { 'order.paid' => 8, 'order.cancelled' => 2, 'order.refunded' => 4 },
	'there are events of every type');
is_deeply([ judge(@payloads) ], [ map { decode_json($_)->{type} } @payloads ],
	'every payload is valid');

# ---- broken payloads ----

# Calls back for each place in a payload that the schema knows: with its name, what
# holds it, and its key there.
sub visit
{
	my ($name, $holder, $call) = @_;
	my @keys = ref $holder eq 'HASH' ? sort keys %$holder : 0 .. $#$holder;

	foreach my $key (grep { !/^(note|gift)$/ } @keys)
	{
		my $value = ref $holder eq 'HASH' ? $holder->{$key} : $holder->[$key];

		visit("$name.$key", $value, $call) if ref $value eq 'HASH' || ref $value eq 'ARRAY';
		$call->("$name.$key", $holder, $key);
	}
	return;
}

# The payload without, and with other things in, each of its places: name => payload.
sub broken
{
	my ($payload) = @_;
	my %broken;

	visit('', $payload, sub {
		my ($name, $holder, $key) = @_;
		my $spot = ref $holder eq 'HASH' ? \$holder->{$key} : \$holder->[$key];
		my $kept = $$spot;

		foreach my $other ({}, [], \1, -1, 1.5, '', 'x', 1e300)
		{
			$$spot = $other;
			next if $json->encode($other) eq $json->encode($kept) || is_free($name, $other);
			next if ref $other eq 'SCALAR' && JSON::PP::is_bool($kept);
			$broken{ "$name: " . $json->encode($other) } = dclone($payload);
		}
		$$spot = $kept;
		return if ref $holder eq 'ARRAY';
		delete $holder->{$key};
		$broken{"$name is missing"} = dclone($payload);
		$holder->{$key} = $kept;
	});
	return \%broken;
}

# A reason or a name may be any text.
sub is_free { return $_[0] =~ /\.(?:cancel_reason|placed_by|closed_by)$/ && !ref $_[1] && $_[1] =~ /^x?$/ }

my %broken;
foreach my $payload (map { $json->decode($_) } @payloads)
{
	my $broken = broken($payload);
	$broken{"$payload->{type}$_"} = $broken->{$_} foreach keys %$broken;
}
my @names = sort keys %broken;
my @said = judge(@broken{@names});
is(@said, @names, 'all are judged');
is_deeply([ map { $said[$_] =~ /^refused: / ? () : $names[$_] } 0 .. $#names ], [],
	'whatever is missing or mistyped is refused');
cmp_ok(@names, '>', 800, 'which are many');

# What no type can tell.
my ($paid) = grep { /"order\.paid"/ && /"note"/ } @payloads;
my ($refunded) = grep { /"order\.refunded"/ && /"partially|"refunded"/ } @payloads;
my ($cancelled) = grep { /"order\.cancelled"/ } @payloads;
sub altered
{
	my ($payload, $alter) = @_;
	my $copy = $json->decode($payload);

	$alter->($_) for $copy;
	return $copy;
}
my @altered = (
	'another type of event' => altered($paid, sub { $_->{type} = 'order.shipped' }),
	'a refund of nothing refunded' =>
	  altered($paid, sub { $_->{data}{refund} = $json->decode($refunded)->{data}{refund} }),
	'an order not paid' => altered($paid, sub { $_->{data}{order}{status} = 'pending' }),
	'an end that is none' => altered($paid,
		sub { $_->{data}{order}{closed_at} = '2026-11-25T10:28:17+00:00' }),
	'no end' => altered($cancelled, sub { $_->{data}{order}{closed_at} = undef }),
	'cancelled, and not so' => altered($cancelled, sub { $_->{data}{order}{status} = 'refunded' }),
	'refunded, and not so' => altered($refunded, sub { $_->{data}{order}{status} = 'paid' }),
	'an id above 2^53-1' => altered($paid, sub { $_->{data}{event_id} = 9007199254740992 }),
	'a line without number' => altered($paid, sub { $_->{data}{order}{items}[0]{line_no} = 0 }),
	'a time without zone' => altered($paid, sub { $_->{timestamp} = '2026-11-25T10:28:17' }),
	'a time elsewhere' => altered($paid, sub { $_->{timestamp} = '2026-11-25T10:28:17+09:00' }),
	map { my $where = $_; ("more in $where" => altered($refunded, sub {
		my $holder = $_;
		$holder = $holder->{$_} // $holder->[0] foreach split /\./, $where;
		$holder->{more} = 1; })) } 'data', 'data.refund', '');
while (my ($name, $payload) = splice @altered, 0, 2)
{
	like((judge($payload))[0], qr/^refused: /, "refused: $name");
}

$node->stop;

# ---- doc/asyncapi.yaml ----

my $specs = new_node_folder() . '/node_modules/@asyncapi/specs/schemas/3.0.0.json';
my $checker = write_file(<<'PYTHON');
import copy, json, os, sys, yaml
from jsonschema import Draft7Validator, Draft202012Validator, RefResolver

file, specs = sys.argv[1:]
document = yaml.safe_load(open(file))
rules = Draft7Validator(json.load(open(specs)))
for error in rules.iter_errors(document):
    print("against the rules:", list(error.path), error.message[:200])
wrong = copy.deepcopy(document)
wrong["operations"]["transmit"]["action"] = "shout"
print("rules:", rules.is_valid(document), rules.is_valid(wrong))

base = "file://" + os.path.abspath(file)
resolver = RefResolver(base, document,
    handlers={"file": lambda uri: yaml.safe_load(open(uri[len("file://"):]))})
def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        yield from refs(child)
for ref in refs(document):
    resolver.resolve(ref)
print("messages:", *document["channels"]["webhook"]["messages"])

def is_valid(schema, value):
    return Draft202012Validator(schema).is_valid(value)
events = json.load(open(os.path.dirname(file) + "/events.schema.json"))
for name, message in document["components"]["messages"].items():
    _, pointer = message["payload"]["schema"]["$ref"].split("#")
    _, trait = resolver.resolve(message["traits"][0]["$ref"])
    schema = {**events, "oneOf": [{"$ref": "#" + pointer}]}
    for example in message["examples"]:
        headers, payload = example["headers"], example["payload"]
        print(name, payload["type"], is_valid(schema, payload), is_valid(trait["headers"], headers),
              is_valid(schema, {**payload, "data": {}}),
              is_valid(trait["headers"], {**headers, "webhook-signature": "v2"}),
              headers["webhook-id"] == str(payload["data"]["event_id"]))
for example in events["examples"]:
    print("example", example["type"], is_valid(events, example))
PYTHON
my $asyncapi = root() . '/doc/asyncapi.yaml';
is(qx(/usr/bin/python3 -W ignore $checker $asyncapi $specs 2>&1), <<'EXPECTED', 'asyncapi.yaml obeys the rules of AsyncAPI, its references lead somewhere, examples are valid');
rules: True False
messages: order.paid order.cancelled order.refunded
order.paid order.paid True True False False True
order.cancelled order.cancelled True True False False True
order.refunded order.refunded True True False False True
example order.paid True
example order.refunded True
EXPECTED

done_testing();
