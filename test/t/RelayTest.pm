# What the tests of commerce_relay share: a shop with events, a receiver of them,
# the relay in between, and ways to look at all three.
package RelayTest;

use strict;
use warnings;
use Exporter 'import';
use FindBin;
use MIME::Base64;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;

our @EXPORT = qw(new_shop place add_event events forget_events hurry_events conninfo secret_file
	start_receiver stop_receiver answer requests
	resolver start_relay run_relay wait_relay stop_relay log_of
	wait_logged last_status is_delivered);

# Whatever proxy the environment names, it is not between us and ourselves.
$ENV{no_proxy} = '*';

# A server with 9 rich users, an endless option 1, and a role relay.
sub new_shop
{
	my ($name, %params) = @_;
	my $node = new_server($name, %params);

	$node->safe_psql('postgres', q(
		SELECT commerce.create_user('buyer', id), commerce.charge_balance(id, 1000000000)
		FROM generate_series(1, 9) AS id;
		SELECT commerce.create_product('shirt', 1);
		SELECT commerce.create_product_option(1, 'red', 10, 1000000000, 1);
		CREATE ROLE relay LOGIN;
		SELECT commerce.grant_access('relay', 'relay');));
	return $node;
}

# Places so many orders in one transaction, of so many units, with one event each.
sub place
{
	my ($node, $count, $quantity) = @_;
	my $items = items([ 1, $quantity // 1 ]);

	$node->safe_psql('postgres',
		"BEGIN;\n" . "SELECT order_id FROM commerce.place_order(1, '$items');\n" x ($count // 1)
		. 'COMMIT');
	return;
}

# One more event of an order: one of its units is refunded.
sub add_event
{
	my ($node, $order_id) = @_;
	my $items = items([ 1, 1 ]);

	return $node->safe_psql('postgres', "SELECT FROM commerce.refund_order($order_id, '$items');
		SELECT max(event_id) FROM commerce.events WHERE order_id = $order_id");
}

# Some columns of subscription default's deliveries, as text.
sub events
{
	my ($node, $columns) = @_;
	return $node->safe_psql('postgres', "SELECT $columns FROM commerce.deliveries
		WHERE subscription = 'default' ORDER BY event_id");
}

sub forget_events
{
	my ($node) = @_;
	$node->safe_psql('postgres', 'TRUNCATE commerce.events, commerce.stored_deliveries');
	return;
}

# What waits for its next attempt need not.
sub hurry_events
{
	my ($node) = @_;
	$node->safe_psql('postgres', q(UPDATE commerce.stored_deliveries SET due_at = now()
		WHERE status = 'available' AND due_at > now()));
	return;
}

sub conninfo
{
	my ($node) = @_;
	return $node->connstr('postgres') . ' user=relay';
}

# A secret of so many bytes of one letter.
sub secret_file
{
	my ($letter, $length) = @_;
	return write_file('whsec_' . encode_base64($letter x ($length // 32), '') . "\n");
}

# ---- receiver ----

# tls: [certificate file, key file]. again: one that was there before, with its
# files and its port. The log is read by requests().
sub start_receiver
{
	my ($secrets, %params) = @_;
	my $again = $params{again} // {};
	my $receiver = { %$again, port => new_file(),
		map { $_ => $again->{$_} // new_file() } qw(log raw script) };
	my @port = $again->{port} ? ('--port', $again->{port}) : ();
	my @tls = $params{tls} ? ('--tls-cert', $params{tls}[0], '--tls-key', $params{tls}[1]) : ();
	my $errors = new_file();

	$receiver->{secrets} = $secrets;
	$receiver->{pid} = start_program('/dev/null', $errors, $^X, "$FindBin::RealBin/../receiver.pl",
		(map { ("--$_", $receiver->{$_}) } qw(log raw script)),
		@port, '--port-file', $receiver->{port}, @tls, @$secrets);
	wait_until(sub { -s $receiver->{port} || kill(0, $receiver->{pid}) == 0 });
	-s $receiver->{port} or die 'no receiver: ' . slurp_file($errors);
	chomp($receiver->{port} = slurp_file($receiver->{port}));
	$receiver->{url} = ($params{tls} ? 'https' : 'http') . "://127.0.0.1:$receiver->{port}/orders";
	return $receiver;
}

sub stop_receiver
{
	my ($receiver) = @_;
	kill 'KILL', $receiver->{pid};
	return wait_exit($receiver->{pid});
}

# From now on, receiver.pl's script.
sub answer
{
	my ($receiver, @lines) = @_;
	write_file(join("\n", @lines) . "\n", 0600, $receiver->{script});
	return;
}

# What came, in that order.
sub requests
{
	my ($receiver) = @_;
	my @names = qw(time event_id order_id event_type signed_by answer);
	my @requests;

	foreach my $line (split /\n/, slurp_file($receiver->{log}))
	{
		my %request;
		@request{@names} = split /\t/, $line;
		push @requests, \%request;
	}
	return @requests;
}

# ---- name server ----

# Instead of one, a library for LD_PRELOAD. Its getaddrinfo() does first what the
# text says, in C, of a node that it may change.
sub resolver
{
	my ($text) = @_;
	my $library = new_file();

	append_to_file("$library.c", <<"C");
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
			struct addrinfo **result)
{
	int			(*real) (const char *, const char *, const struct addrinfo *,
						 struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");

	$text
	return real(node, service, hints, result);
}
C
	system_or_bail($ENV{CC} // 'cc', '-shared', '-fPIC', '-o', $library, "$library.c", '-ldl');
	return $library;
}

# ---- relay ----

# Starts a relay between node and receiver, with its first secret, and patience for
# a machine that is busy. Options: name => value, or list of values, or undef for
# none; once => 1. stdout => where that goes, as open() has it, if not to a file.
# {log} and {out} are files.
sub start_relay
{
	my ($node, $receiver, %given) = @_;
	my %options = (
		conninfo => $node && conninfo($node),
		url => $receiver && $receiver->{url},
		'secret-file' => $receiver && $receiver->{secrets}[0],
		'poll-interval' => '50ms',
		lease => '5min',
		timeout => '2min',
		%given);
	my @command = ('commerce_relay', delete $options{once} ? '--once' : ());
	my $relay = { log => new_file() };
	$relay->{out} = delete $options{stdout} // new_file();

	foreach my $name (sort keys %options)
	{
		my $values = ref $options{$name} ? $options{$name} : [ $options{$name} ];
		push @command, "--$name", $_ foreach grep { defined } @$values;
	}
	$relay->{pid} = start_program($relay->{out}, $relay->{log}, @command);
	return $relay;
}

sub wait_relay
{
	my ($relay) = @_;
	return wait_exit($relay->{pid});
}

# Its exit code after SIGTERM.
sub stop_relay
{
	my ($relay) = @_;
	kill 'TERM', $relay->{pid};
	return wait_relay($relay);
}

# Starts a relay and waits for its end: its exit code, and all it logged.
sub run_relay
{
	my $relay = start_relay(@_);
	my $code = wait_relay($relay);

	return ($code, log_of($relay));
}

sub log_of
{
	my ($relay) = @_;
	return -e $relay->{log} ? slurp_file($relay->{log}) : '';
}

sub wait_logged
{
	my ($relay, $pattern) = @_;
	return wait_until(sub { log_of($relay) =~ $pattern });
}

# The counters of its last status line, as they are there, by their names.
sub last_status
{
	my ($relay, @names) = @_;
	my ($last) = log_of($relay) =~ /.*\bevent=status (.*)/s or return 'no status';
	my %counters = $last =~ /(\w+)=(\d+)/g;

	return join ' ', map { "$_=" . ($counters{$_} // '') } @names;
}

# Every event is delivered, or soon will be; without waiting for the next attempt
# of those that have failed, if hurry is true.
sub is_delivered
{
	my ($node, $name, %params) = @_;
	my $left;

	wait_until(sub {
		hurry_events($node) if $params{hurry};
		$left = $node->safe_psql('postgres',
			"SELECT subscription, event_id, status, attempt, last_error FROM commerce.deliveries
			WHERE status <> 'delivered' ORDER BY event_id LIMIT 5");
		$left eq '';
	});
	is($left, '', $name);
	return;
}

1;
