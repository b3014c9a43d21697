# A receiver that is away, in whatever way, costs no event anything: nothing fails,
# it is left alone but for a request now and then, and gets all of it in order
# once it is back. AWAY_SECONDS is for how long it is away, once that is known.
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
my $node = new_shop('patience');
my $secret = secret_file('a');
my $receiver = start_receiver([$secret]);
my $seen = 0;
my $away_seconds = $ENV{AWAY_SECONDS} // 0;

# ---- ways to be away ----

# A name that is known as long as a file is there.
my $known = "$folder/known";
my $library = resolver(q(if (node != NULL && strcmp(node, "shop.invalid") == 0)
	{
		if (access(getenv("KNOWN"), F_OK) != 0)
			return EAI_AGAIN;
		node = "127.0.0.1";
	}));

my ($certificate, $key) = CERT_create(subject => { CN => 'shop' },
	subjectAltNames => [ [ IP => '127.0.0.1' ] ]);
PEM_cert2file($certificate, "$folder/shop.crt");
PEM_key2file($key, "$folder/shop.key");

# The receiver stopped, and is there again where it was.
sub start_again
{
	my @tls = @_;
	$receiver = start_receiver([$secret], again => $receiver, @tls);
	return;
}
sub change_to
{
	my @tls = @_;
	stop_receiver($receiver);
	start_again(@tls);
	return;
}

# What makes it go, what brings it back, and options for the relay.
my %ways = (
	'503' => [ sub { answer($receiver, '* 503') }, sub { answer($receiver, '* 200') } ],
	'503 with Retry-After' => [ sub { answer($receiver, '* 503:2') }, sub { answer($receiver, '* 200') } ],
	'no answer' => [ sub { answer($receiver, '* never') }, sub { answer($receiver, '* 200') },
		timeout => '300ms' ],
	'killed' => [ sub { stop_receiver($receiver) }, \&start_again ],
	# libcurl remembers for a minute.
	'no name' => [ sub { }, sub { write_file('', 0644, $known) },
		url => "http://shop.invalid:$receiver->{port}/" ],
	'broken TLS' => [ sub { change_to() },
		sub { change_to(tls => [ "$folder/shop.crt", "$folder/shop.key" ]) },
		url => "https://127.0.0.1:$receiver->{port}/", 'ca-file' => "$folder/shop.crt" ]);

# The events that came since the last time, by their order, each once.
sub arrived
{
	my (%orders, %came);
	my @requests = requests($receiver);

	foreach my $request (@requests[ $seen .. $#requests ])
	{
		push @{ $orders{ $request->{order_id} } }, $request->{event_id}
			if !$came{ $request->{event_id} }++;
	}
	$seen = @requests;
	return \%orders;
}

sub expected
{
	my %expected;

	foreach (split /\n/, $node->safe_psql('postgres',
		'SELECT order_id, event_id FROM commerce.events ORDER BY event_id'))
	{
		my ($order_id, $event_id) = split /\|/;
		push @{ $expected{$order_id} }, $event_id;
	}
	return \%expected;
}

# How often it was tried in vain so far.
sub tries
{
	my ($relay) = @_;
	return scalar(() = log_of($relay) =~ /event=delivery_released/g);
}

foreach my $way (sort keys %ways)
{
	my ($go, $come_back, %options) = @{ $ways{$way} };
	local $ENV{LD_PRELOAD} = $options{url} && $options{url} =~ /invalid/ ? $library : '';
	local $ENV{KNOWN} = $known;
	forget_events($node);
	change_to();
	$come_back->() if $way =~ /TLS/;
	arrived();
	my $relay = start_relay($node, $receiver, 'status-interval' => '100ms', %options);
	if ($way !~ /name/)
	{
		place($node, 10, 3);
		is_delivered($node, "$way: events arrive");
	}

	# In the middle of work.
	place($node, 100, 3);
	$go->();
	place($node, 100, 3);
	ok(wait_logged($relay, qr/event=receiver_away/), "$way: it is known to be away");
	my $before = requests($receiver);
	my ($claimed) = last_status($relay, 'claimed') =~ /(\d+)/;
	add_event($node, $_) foreach map { split /\n/ } $node->safe_psql('postgres',
		'SELECT order_id FROM commerce.orders ORDER BY 1 DESC LIMIT 20');
	ok(wait_logged($relay, qr/event=receiver_away(?:.*event=delivery_released){2}/s),
		"$way: it is tried again");
	cmp_ok(requests($receiver) - $before, '<=', 20, "$way: but left alone otherwise");
	like(last_status($relay, 'in_flight'), qr/in_flight=[01]$/, "$way: one at a time");
	my $tries = tries($relay);
	sleep $away_seconds;
	$tries = tries($relay) - $tries;
	# After 1 s, 2 s, 4 s, 8 s, 16 s, and then every 30 s.
	cmp_ok($tries, '<=', $away_seconds / 30 + 6, "$way: and seldom") if $away_seconds;
	is($node->safe_psql('postgres', 'SELECT max(failures) FROM commerce.deliveries'), '0',
		"$way: nothing has failed");

	$come_back->();
	is_delivered($node, "$way: all are delivered when it is back");
	is(stop_relay($relay), 0, "$way: SIGTERM ends the relay");
	my $log = log_of($relay);
	my ($back) = $log =~ /.*^time=(\S+) .*event=receiver_back/ms;
	diag("$way: away for $away_seconds s, tried $tries times; all were delivered "
		. $node->safe_psql('postgres', "SELECT max(delivered_at) - '$back' FROM commerce.deliveries")
		. ' after the first got through') if $away_seconds;
	is(scalar(() = $log =~ /event=receiver_back/g), scalar(() = $log =~ /event=receiver_away/g),
		"$way: it came back as often as it went");
	cmp_ok(scalar(() = $log =~ /event=delivery_/g), '<', 60, "$way: the log is no flood");
	is($node->safe_psql('postgres', 'SELECT max(failures) FROM commerce.deliveries'), '0',
		"$way: nothing has failed in the end");
	is_deeply(arrived(), expected(), "$way: all have arrived, each order's in order");
}

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
