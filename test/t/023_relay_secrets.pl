# Secrets: two while rotating, SIGHUP reads them anew, files that others can read
# are refused, and nobody sees one who should not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use POSIX qw(mkfifo);
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('secrets');
my @secrets = map { secret_file($_) } 'a', 'b', 'c';
my $receiver = start_receiver(\@secrets);

# The signers of the next event.
sub next_signed_by
{
	my $before = requests($receiver);
	place($node);
	wait_until(sub { requests($receiver) > $before });
	return (requests($receiver))[-1]{signed_by};
}

# ---- rotation ----

my $current = write_file(slurp_file($secrets[0]));
my $relay = start_relay($node, $receiver, 'secret-file' => $current);
is(next_signed_by(), '1', 'one secret, one signature');
write_file(slurp_file($secrets[1]), 0600, $current);
is(next_signed_by(), '1', 'a new secret in the file');
kill 'HUP', $relay->{pid};
ok(wait_until(sub { next_signed_by() eq '2' }), 'counts after SIGHUP');

# What SIGHUP finds may be wrong: the old secret stays.
foreach my $wrong ([ "whsec_tooshort\n", 0600 ], [ slurp_file($secrets[2]), 0644 ])
{
	my $errors = () = log_of($relay) =~ /level=error/g;
	write_file(@$wrong, $current);
	kill 'HUP', $relay->{pid};
	ok(wait_until(sub { $errors < (() = log_of($relay) =~ /level=error/g) }),
		'SIGHUP logs what is wrong with a new secret');
	is(next_signed_by(), '2', 'and the relay goes on with the old one');
}
write_file(slurp_file($secrets[2]), 0600, $current);
kill 'HUP', $relay->{pid};
ok(wait_until(sub { next_signed_by() eq '3' }), 'SIGHUP again, with a right one');
is(stop_relay($relay), 0, 'SIGTERM ends the relay');

$relay = start_relay($node, $receiver, 'secret-file' => [ @secrets[0, 1] ]);
is(next_signed_by(), '1+2', 'two secrets, two signatures');

# ---- nobody sees one ----

my @hidden = map { my $text = slurp_file($_); chomp $text; substr $text, 6 } @secrets;
push @hidden, map { ($_ x 24, unpack 'H*', $_ x 24) } 'a', 'b', 'c';
my $hidden = join '|', map { quotemeta } @hidden;
unlike(slurp_file("/proc/$relay->{pid}/cmdline"), qr/$hidden/, 'no secret in cmdline');
# Its memory is nobody's, so that no core file is written either.
ok(!open(my $handle, '<', "/proc/$relay->{pid}/$_"), "nobody but root reads its $_") foreach qw(environ mem);
unlike(log_of($relay), qr/$hidden/, 'no secret in the log');
my $activity;
ok(wait_until(sub {
	$activity = $node->safe_psql('postgres',
		"SELECT * FROM pg_stat_activity WHERE usename = 'relay'");
	$activity =~ /claim_events/;
}), 'the server sees the relay');
unlike($activity, qr/$hidden/, 'but no secret');
is(stop_relay($relay), 0, 'SIGTERM ends the relay');

# Not even when all goes wrong.
answer($receiver, '* 500');
place($node);
my ($code, $log) = run_relay($node, $receiver, once => 1);
is($code, 4, 'a delivery fails');
unlike($log . events($node, 'deliveries'), qr/$hidden/,
	'no secret in the errors');

# ---- secret files that are refused ----

sub refused
{
	my ($name, $file, %options) = @_;
	my ($exit, $message) = run_relay($node, $receiver, once => 1,
		'secret-file' => $file, %options);

	is($exit, 1, "$name: exit code 1");
	my ($last) = ref $file ? $file->[-1] : $file;
	like($message, qr/\Q$last\E/, "$name: and names the file");
	unlike($message, qr/$hidden/, "$name: without its content");
	return;
}

my $right = slurp_file($secrets[0]);
refused(sprintf('mode %04o', $_), write_file($right, $_)) foreach 0644, 0640, 0602, 0610;
refused('a missing file', '/nowhere/secret');
refused('a folder', PostgreSQL::Test::Utils::tempdir());
refused('an empty file', write_file(''));
my $pipe = new_file();
mkfifo $pipe, 0600 or die $!;
open my $feed, '+<', $pipe or die $!;
syswrite $feed, $right;
refused('a pipe', $pipe);
refused('no prefix', write_file($right =~ s/whsec_//r));
refused('another prefix', write_file($right =~ s/whsec_/whsk_/r));
refused('no base64', write_file($right =~ s/Y/%/r));
refused('23 bytes', secret_file('a', 23));
refused('65 bytes', secret_file('a', 65));
refused('a second line', write_file("$right$right"));
refused('one secret in the wrong of two files', [ $secrets[0], write_file($right, 0644) ]);
($code, $log) = run_relay($node, $receiver, once => 1, 'secret-file' => \@secrets);
is($code, 1, 'three secret files are refused');

answer($receiver, '* 200');
foreach my $fine ([ '24 bytes', secret_file('a', 24) ], [ '64 bytes', secret_file('a', 64) ],
	[ 'CR and LF', write_file($right =~ s/\n/\r\n\n/r, 0400) ],
	[ 'no end of line', write_file($right =~ s/\n//r) ])
{
	($code, $log) = run_relay($node, $receiver, once => 1, 'secret-file' => $fine->[1]);
	is($code, 0, "$fine->[0]: accepted");
}

# systemd's credentials: an access list shows as permissions of the group.
my $credential = write_file($right, 0440);
{
	local $ENV{CREDENTIALS_DIRECTORY} = $credential =~ s{/[^/]*$}{}r;
	($code, $log) = run_relay($node, $receiver, once => 1, 'secret-file' => $credential);
	is($code, 0, 'a credential of mode 0440: accepted');
	refused('a credential of mode 0444', write_file($right, 0444));
}
refused('mode 0440, but no credential', $credential);

# ---- other secrets: of the database, and in the URL ----

($code, $log) = run_relay($node, $receiver, once => 1,
	conninfo => conninfo($node) . ' password=hush-hush');
is($code, 1, 'a password in --conninfo is refused');
like($log, qr/passfile|service|config/, 'and told how else');
unlike($log, qr/hush/, 'without repeating it');
($code, $log) = run_relay($node, $receiver, once => 1,
	conninfo => 'postgresql://relay:hush-hush@/postgres');
is($code, 1, 'and one in a postgresql:// URL');
unlike($log, qr/hush/, 'which is not repeated either');
($code, $log) = run_relay($node, $receiver, once => 1, conninfo => undef, config =>
	write_file("conninfo = postgresql://relay:hush-hush\@[::1/postgres\n"));
is($code, 1, 'an unreadable conninfo is refused');
like($log, qr/conninfo is not valid/, 'as such');
unlike($log, qr/hush/, 'without repeating the password in it');
my $url = "http://shop:hush-hush\@127.0.0.1:$receiver->{port}/orders?token=hush-too";
($code, $log) = run_relay($node, $receiver, once => 1, url => $url);
is($code, 1, 'a password in --url is refused');
unlike($log, qr/hush/, 'without repeating it');

my $conninfo = conninfo($node) =~ s/'//gr;
my $content = "conninfo = '$conninfo password=hush-hush'\nurl = $url\n";
my @in_file = map { ($_ => undef) } qw(conninfo url);
place($node);
($code, $log) = run_relay($node, $receiver, @in_file, once => 1,
	config => write_file($content, 0644));
is($code, 1, 'and in a configuration file that others can read');
($code, $log) = run_relay($node, $receiver, @in_file, once => 1, config => write_file($content));
is($code, 0, 'but not in one that they cannot');
like($log, qr{http://127\.0\.0\.1:$receiver->{port}/orders}, 'the log has the URL');
unlike($log, qr/hush|token/, 'without what is secret in it');
like(slurp_file($receiver->{raw}),
	qr{POST /orders\?token=hush-too HTTP/1\.1\r\n(?:.+\r\n)*Authorization: Basic },
	'which the receiver gets');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
