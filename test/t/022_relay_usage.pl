# The command line and the configuration file: what is refused, and how the two
# go together.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayTest;

my $node = new_shop('usage');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret]);

# ---- help ----

my ($help, $stderr) = run_command([ 'commerce_relay', '--help' ]);
like($help, qr/--$_\b/, "--help explains --$_")
	foreach qw(conninfo subscription url secret-file header header-file batch-size concurrency
	lease timeout poll-interval metrics-listen once to config status-interval ca-file help version);
like($help, qr/$_/, "--help speaks of $_")
	foreach qw(SIGTERM SIGHUP), '[Ee]xit', '0600|umask 077', 'openssl rand';
is($stderr, '', 'on stdout alone');
is((run_command([ 'commerce_relay', '--version' ]))[0] =~ /^commerce_relay\b.*\b1\.\d/, 1,
	'--version names it');

like($help, qr/event=start to=/, '--help shows the log as it is');
like((run_command([ 'commerce_relay', '-abc' ]))[1], qr/"-a"/, 'a short option is refused by name');
like((run_command([ 'commerce_relay', @{ $_->[0] } ]))[1], $_->[1], "@{ $_->[0] } is refused")
	foreach [ ['--url'], qr/--url needs a value/ ], [ [ '--once', 'now' ], qr/unexpected argument "now"/ ];

# ---- what is refused, each for one reason ----

place($node);
sub refused
{
	my ($name, $message, %options) = @_;
	my ($code, $log) = run_relay($node, $receiver, once => 1, %options);

	is($code, 1, "$name: exit code 1");
	like($log, $message, "$name: and says why");
	return;
}

refused('no --conninfo', qr/conninfo/, conninfo => undef);
refused('no --url', qr/url/, url => undef);
refused('no --secret-file', qr/secret-file/, 'secret-file' => undef);
refused('unknown option', qr/frequency/, frequency => 3);
refused("$_->[0] $_->[1]", qr/\b$_->[0]\b/, $_->[0] => $_->[1])
	foreach [ 'batch-size', 0 ], [ 'batch-size', 10001 ], [ 'batch-size', '10x' ],
	[ 'concurrency', 0 ], [ 'concurrency', 1001 ], [ 'concurrency', -1 ],
	[ 'poll-interval', '9ms' ], [ 'poll-interval', '2h' ], [ 'poll-interval', 'often' ],
	[ 'timeout', '99ms' ], [ 'timeout', '' ], [ 'lease', '25h' ], [ 'lease', '999ms' ],
	[ 'lease', '99999999999999999999s' ], [ 'timeout', 'nan' ], [ 'timeout', '-5s' ],
	[ 'to', 'mail' ], [ 'url', 'ftp://127.0.0.1/' ], [ 'url', 'file:///etc/passwd' ],
	[ 'url', '127.0.0.1' ], [ 'subscription', '' ], [ 'subscription', 'Default' ],
	[ 'subscription', 'a b' ], [ 'subscription', "caf\xc3\xa9" ], [ 'subscription', 'x' x 64 ],
	map { [ 'metrics-listen', $_ ] } '', '9187', 'localhost', ':9187', '127.0.0.1:0',
	'127.0.0.1:65536', '127.0.0.1:http', '::1:9187', '[::1]', '[]:9187', '127.0.0.1:9187x';
refused('a CA file that is not there', qr{/nowhere/ca\.pem}, 'ca-file' => '/nowhere/ca.pem');
refused('a lease as long as the timeout', qr/lease/, lease => '10s', timeout => '10s');
refused('--url with --to stdout', qr/url/, to => 'stdout', 'secret-file' => undef);
refused('--secret-file with --to stdout', qr/secret-file/, to => 'stdout', url => undef);

refused('--header with --to stdout', qr/header/, to => 'stdout', url => undef,
	'secret-file' => undef, header => 'X: y');

# ---- which subscription ----

$node->safe_psql('postgres', q(SELECT FROM commerce.create_subscription('crm')));
refused('a subscription that is not there', qr/no subscription erp, but crm, default"/,
	subscription => 'erp');
refused('the longest name of none', qr/x{63}/, subscription => 'x' x 63);
is($node->safe_psql('postgres', 'SELECT DISTINCT status, attempt FROM commerce.deliveries'),
	'available|0', 'none of them has touched the event');

# ---- the configuration file ----

my $conninfo = conninfo($node) =~ s/'//gr;
my $config = write_file(qq(
# a comment
conninfo = '$conninfo'
  url=$receiver->{url}
secret-file = $secret
secret-file = '@{[ secret_file('b') ]}'
subscription = default
batch-size = 7 # a few
lease = 2min
timeout = 1.5s
status-interval = 0
));
my @alone = map { ($_ => undef) }
	qw(conninfo url secret-file poll-interval lease timeout);

my ($code, $log) = run_relay($node, $receiver, @alone, once => 1, config => $config);
is($code, 0, 'everything can be in the configuration file');
is(events($node, 'status'), 'delivered', 'the event is delivered');
is((requests($receiver))[0]{signed_by}, '1', 'and signed');
like($log, qr/event=start\b.*\bbatch.size=7\b/, 'the log shows the settings');
like($log, qr/event=start\b.*\btimeout_ms=1500\b/, 'a duration may have a fraction');

place($node);
($code, $log) = run_relay($node, $receiver, @alone, once => 1, config => $config,
	'batch-size' => 9);
is($code, 0, 'an option beside the configuration file');
like($log, qr/event=start\b.*\bbatch.size=9\b/, 'goes before it');

foreach my $wrong ('concurency = 3', 'concurrency = lots', 'concurrency', "url = 'http://x",
	"ca-file = 'x''", "ca-file = '''", "ca-file = 'x' y", "secret-file = $secret", 'config = /etc/passwd',
	'subscription = Default', 'once = maybe')
{
	my $file = write_file(slurp_file($config) . "$wrong\n");
	my $line = () = slurp_file($file) =~ /\n/g;
	refused("configuration file: $wrong", qr/\Q$file\E.*\b$line\b/, @alone, config => $file);
}
refused('no such configuration file', qr{/nowhere}, config => '/nowhere/relay.conf');
refused("a configuration file that $_->[0]", $_->[1], @alone, config => write_file($_->[2]))
	foreach [ "is far too long", qr/must be text of at most/, "#" x 2_000_000 ], [ "is no text", qr/must be text/, "to = \0" ];

# ---- exit codes ----

place($node);
answer($receiver, '* 500');
($code) = run_relay($node, $receiver, once => 1);
is($code, 4, '--once, and an event failed: exit code 4');

($code, $log) = run_relay($node, $receiver, once => 1,
	conninfo => 'host=/nowhere dbname=postgres');
is($code, 2, '--once, and no server: exit code 2');
like($log, qr/nowhere/, 'and says which');
($code) = run_relay($node, $receiver, once => 1, conninfo => conninfo($node) . ' user=nobody_here');
is($code, 2, '--once, and no such role: exit code 2');
$node->safe_psql('postgres', 'CREATE DATABASE empty');
($code, $log) = run_relay($node, $receiver, once => 1,
	conninfo => $node->connstr('empty') . ' user=relay');
is($code, 2, '--once, and no extension: exit code 2');

my $value = qr/[^\s"=]+|"(?:[^"\\]|\\.)*"/;
foreach my $line (split /\n/, $log)
{
	like($line,
		qr/^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=\w+ event=\w+( \w+=$value)*$/,
		'a line of the log is made of names and values');
}

$node->stop;
done_testing();
