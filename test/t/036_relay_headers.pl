# Headers that the user adds: each request has them, nobody reads them in the log, and
# none can change what a request is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use Processes;
use RelayTest;
use PostgreSQL::Test::Utils;

my $node = new_shop('headers');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret]);

# The head of the last request, in lower case but for the values.
sub last_head
{
	my @parts = split m{(?=POST /orders HTTP)}, slurp_file($receiver->{raw});
	my ($head) = split /\r\n\r\n/, $parts[-1];
	my %head = map { /^([^:]+): ?(.*)/ ? (lc($1), $2) : () } split /\r\n/, $head;
	return \%head;
}

# ---- they are there ----

my $file = write_file("Authorization: Bearer s3cret\nX-Empty-Lines-Are-None:\t yes \r\n\n");
place($node);
my ($code, $log) = run_relay($node, $receiver, once => 1, 'header-file' => $file,
	header => [ 'X-Shop: one', 'Accept: application/json' ]);
is($code, 0, 'delivered with headers of ours');
my $head = last_head();
is($head->{'x-shop'}, 'one', 'from the command line');
is($head->{accept}, 'application/json', 'in the place of a usual one');
is($head->{authorization}, 'Bearer s3cret', 'from the file');
is($head->{'x-empty-lines-are-none'}, 'yes', 'without the space around its value');
is($head->{'content-type'}, 'application/json', 'beside those that there always are');
unlike($log, qr/s3cret|Bearer|X-Shop/, 'the log shows none');
like($log, qr/event=start .* headers=4 /, 'but how many there are');
is((requests($receiver))[-1]{signed_by}, '1', 'the signature is good');

# ---- SIGHUP ----

my $relay = start_relay($node, $receiver, 'header-file' => $file);
ok(wait_logged($relay, qr/event=connected/), 'a relay that stays');
write_file("Authorization: Bearer another\n", 0600, $file);
kill 'HUP', $relay->{pid};
ok(wait_logged($relay, qr/event=headers_loaded headers=1/), 'reads the file again');
place($node);
is_delivered($node, 'and goes on');
is(last_head()->{authorization}, 'Bearer another', 'with what is in it now');
write_file("no header\n", 0600, $file);
kill 'HUP', $relay->{pid};
ok(wait_logged($relay, qr/event=headers_not_loaded .*line 1/), 'a wrong file is told of');
place($node);
is_delivered($node, 'and changes nothing');
is(last_head()->{authorization}, 'Bearer another', 'the headers stay');
is(stop_relay($relay), 0, 'SIGTERM ends it');
unlike(log_of($relay), qr/Bearer|another/, 'its log shows none');

# ---- what is refused ----

place($node);
my $before = requests($receiver);
sub refused
{
	my ($name, $pattern, %options) = @_;
	my ($refused_code, $refused_log) = run_relay($node, $receiver, once => 1, %options);

	is($refused_code, 1, "$name: exit code 1");
	like($refused_log, $pattern, "$name: it says why");
	unlike($refused_log, qr/s3cret/, "$name: and shows no value");
	return;
}
refused("header $_->[0]", $_->[1], header => $_->[0])
	foreach [ 's3cret', qr/--header is not/ ], [ ': s3cret', qr/is not/ ], [ 'A b: s3cret', qr/is not/ ],
	[ 'X:', qr/has no value/ ], [ "X: s3cret\r\nEvil: 1", qr/control character/ ],
	[ "X: s3cret\x01", qr/control character/ ], [ 'X: s3cret' . 'x' x 5000, qr/too long/ ],
	map { [ "$_: s3cret", qr/not to be changed/ ] } 'Webhook-Id', 'webhook-signature', 'Host',
	'Content-Type', 'CONTENT-LENGTH', 'Transfer-Encoding', 'Connection', 'Expect';
refused('33 headers', qr/at most 32/, header => [ map { "X-$_: s3cret" } 1 .. 33 ]);
refused('33 headers, with those of a file', qr/one header too many/, header => [ 'A: s3cret', 'B: s3cret' ],
	'header-file' => write_file(join '', map { "X-$_: s3cret\n" } 1 .. 31));
refused('a file that is not there', qr{/nowhere/headers}, 'header-file' => '/nowhere/headers');
refused('a file for all to see', qr/header file/, 'header-file' => write_file("A: s3cret\n", 0644));
refused('a wrong line in a file', qr/line 2/, 'header-file' => write_file("A: b\ns3cret\n"));
refused('a NUL in a file', qr/line 1/, 'header-file' => write_file("A: s3cret\0b\n"));
refused('a file that is too long', qr/at most/, 'header-file' => write_file("A: s3cret\n" x 10000));
is(scalar(requests($receiver)), $before, 'none of them has sent a request');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
