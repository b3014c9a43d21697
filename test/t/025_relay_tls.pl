# TLS: who cannot show a certificate that we trust, for the name we called, gets
# nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $folder = PostgreSQL::Test::Utils::tempdir();

# A CA, and certificates by it.
sub openssl
{
	my ($stdout, $stderr) = run_command([ 'openssl', @_ ]);
	die "openssl @_: $stderr" if $?;
	return;
}
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout), "$folder/ca.key",
	'-out', "$folder/ca.crt");
sub certificate
{
	my ($name, $subject, $days) = @_;
	my $file = "$folder/$name";
	my $extensions = write_file("subjectAltName = $subject\n");

	openssl(qw(req -newkey rsa:2048 -nodes -subj /CN=shop -keyout), "$file.key", '-out', "$file.csr");
	openssl(qw(x509 -req -CAcreateserial -CA), "$folder/ca.crt", '-CAkey', "$folder/ca.key",
		'-in', "$file.csr", '-out', "$file.crt", '-days', $days, '-extfile', $extensions);
	return [ "$file.crt", "$file.key" ];
}
my $right = certificate('right', 'IP:127.0.0.1', 2);
my $other = certificate('other', 'DNS:shop.example,IP:127.0.0.2', 2);
my $expired = certificate('expired', 'IP:127.0.0.1', -1);

my $node = new_shop('tls');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret], tls => $right);

sub refused
{
	my ($name, $error, $who, %options) = @_;

	$node->safe_psql('postgres', 'TRUNCATE commerce.outbox');
	place($node);
	my ($code) = run_relay($node, $who, once => 1, %options);
	is($code, 4, "$name: not delivered");
	is(requests($who), 0, "$name: nothing is told");
	like(events($node, 'status, attempt, last_error'), qr/^available\|1\|.*(?:$error)/i,
		"$name: the outbox knows why");
	return;
}

refused('a CA we do not know', 'certificate', $receiver);
refused("another's certificate", 'certificate|subject|name', start_receiver([$secret], tls => $other),
	'ca-file' => "$folder/ca.crt");
refused('an expired certificate', 'expired', start_receiver([$secret], tls => $expired),
	'ca-file' => "$folder/ca.crt");
my $plain = start_receiver([$secret]);
refused('no TLS', 'SSL|TLS', { %$plain, url => $plain->{url} =~ s/http/https/r },
	'ca-file' => "$folder/ca.crt");

$node->safe_psql('postgres', 'TRUNCATE commerce.outbox');
place($node, 20);
my ($code) = run_relay($node, $receiver, once => 1, 'ca-file' => "$folder/ca.crt");
is($code, 0, 'with --ca-file, delivered');
is(scalar(grep { $_->{signed_by} eq '1' } requests($receiver)), 20, 'and signed');
is($node->safe_psql('postgres', 'SELECT status, count(*) FROM commerce.outbox GROUP BY 1'),
	'delivered|20', 'each event once');

$node->stop;
done_testing();
