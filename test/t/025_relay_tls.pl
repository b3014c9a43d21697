# TLS: whoever cannot show a certificate that we trust, for the name we called,
# gets nothing.
use strict;
use warnings;
use FindBin;
use IO::Socket::SSL::Utils;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $folder = PostgreSQL::Test::Utils::tempdir();

# A CA, and certificates by it, which differ from the right one in one thing.
my ($ca, $ca_key) = CERT_create(CA => 1, subject => { CN => 'ca' });
PEM_cert2file($ca, "$folder/ca.crt");

sub certificate
{
	my ($name, $subject, $end) = @_;
	my ($certificate, $key) = CERT_create(subject => { CN => 'shop' }, issuer => [ $ca, $ca_key ],
		subjectAltNames => [$subject], not_before => time - 100_000, not_after => $end);

	PEM_cert2file($certificate, "$folder/$name.crt");
	PEM_key2file($key, "$folder/$name.key");
	return [ "$folder/$name.crt", "$folder/$name.key" ];
}
my $right = certificate('right', [ IP => '127.0.0.1' ], time + 100_000);
my $other = certificate('other', [ DNS => 'localhost' ], time + 100_000);
my $expired = certificate('expired', [ IP => '127.0.0.1' ], time - 1000);

my $node = new_shop('tls');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret], tls => $right);

# Why is said in OpenSSL's words: not that there was an answer.
sub refused
{
	my ($name, $who, %options) = @_;
	my $before = requests($who);

	forget_events($node);
	place($node);
	my ($code, $log) = run_relay($node, $who, once => 1, %options);
	is($code, 4, "$name: not delivered");
	is(requests($who) - $before, 0, "$name: nothing is told");
	is(events($node, 'status, attempt, failures'), 'available|1|0', "$name: the event is kept");
	like($log, qr/event=delivery_released .* error="(?!HTTP \d)\S.*\w/, "$name: the log knows why");
	return;
}

# Where nothing is wrong but that.
sub accepted
{
	my ($name, $who, %options) = @_;
	my $before = requests($who);

	forget_events($node);
	place($node);
	my ($code) = run_relay($node, $who, once => 1, %options);
	is($code, 0, "$name: delivered");
	is(requests($who) - $before, 1, "$name: the event is told");
	return;
}

my @trusted = ('ca-file' => "$folder/ca.crt");
refused('a CA we do not know', $receiver);
accepted('a CA we know', $receiver, @trusted);

my $elsewhere = start_receiver([$secret], tls => $other);
refused("another's certificate", $elsewhere, @trusted);
accepted('the same, called by its name', $elsewhere, @trusted,
	url => $elsewhere->{url} =~ s/127\.0\.0\.1/localhost/r);

refused('an expired certificate', start_receiver([$secret], tls => $expired), @trusted);

my $plain = start_receiver([$secret]);
refused('no TLS', $plain, @trusted, url => $plain->{url} =~ s/http/https/r);
accepted('no TLS, and none asked for', $plain);

my $before = requests($receiver);
forget_events($node);
place($node, 20);
my ($code) = run_relay($node, $receiver, once => 1, @trusted);
is($code, 0, 'many: delivered');
is(scalar(grep { $_->{signed_by} eq '1' } requests($receiver)) - $before, 20, 'and signed');
is($node->safe_psql('postgres', 'SELECT status, count(*) FROM commerce.deliveries GROUP BY 1'),
	'delivered|20', 'each event once');

$node->stop;
done_testing();
