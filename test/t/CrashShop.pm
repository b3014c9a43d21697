# A shop whose server goes down in many ways, with relays that do too.
package CrashShop;

use strict;
use warnings;
use Exporter 'import';
use File::Path qw(rmtree);
use Time::HiRes qw(sleep time);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Disks;
use Processes;
use RelayTest;

our @EXPORT = qw(open_crash_shop close_crash_shop address comes_back what_came logs);

my $has_disks;
my ($node, $standby); # which of the two is which may change
my ($receiver, @relays);

# ---- the server ----

# A server in place of that of this name, should there be one. Its folder, and that of its
# WAL, are on the disks if there are any.
sub new_node
{
	my ($name, $old) = @_;
	my $folder = disk('data') . "/$name";

	if ($old)
	{
		unlink $old->basedir if $has_disks;
		rmtree($has_disks ? $folder : $old->basedir);
	}
	my $new = PostgreSQL::Test::Cluster->new($name, $old ? (port => $old->port) : ());
	if ($has_disks)
	{
		rmdir $new->basedir;
		mkdir $folder;
		symlink $folder, $new->basedir or die "no link for $name: $!";
	}
	return $new;
}

sub move_wal
{
	my ($new) = @_;
	my $wal = disk('wal') . '/' . $new->name;

	return if !$has_disks;
	rmtree($wal);
	system_or_bail('mv', $new->data_dir . '/pg_wal', $wal);
	symlink $wal, $new->data_dir . '/pg_wal' or die "no link for pg_wal: $!";
	return;
}

# Opens a shop with two relays for subscription relay, and a receiver that fails at times:
# the ways it may go down, name => what to do.
sub open_crash_shop
{
	($has_disks) = @_;
	($node, $standby) = map { new_node($_) } qw(a b);
	$node->init(allows_streaming => 1, extra => ['--wal-segsize=1']);
	# What is written outlives a process that is killed, so fsync may be off.
	$node->append_conf('postgresql.conf', "$_\n") foreach 'log_statement = none', 'fsync = off',
		'restart_after_crash = on', 'max_connections = 40', 'min_wal_size = 2MB', 'max_wal_size = 8MB',
		'wal_keep_size = 16MB', 'wal_recycle = off', 'checkpoint_warning = 0', 'shared_buffers = 16MB',
		"shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'";
	move_wal($node);
	$node->start;
	$node->safe_psql('postgres', q(CREATE EXTENSION commerce; CREATE ROLE relay LOGIN;
		SELECT commerce.grant_access('relay', 'relay');
		SELECT commerce.create_subscription('relay', '{order.refunded, order.cancelled, order.paid}')));
	$receiver = start_receiver([ secret_file('a') ]);
	answer($receiver, '* 200', map { ("$_ 500:1 200", ($_ + 1) . ' slow:50') } map { $_ * 10 } 1 .. 500);
	@relays = map { a_relay() } 1 .. 2;
	my @disks = $has_disks ? qw(data wal) : ();
	return (
		'a session' => sub { kill_one('client backend') },
		'the notifier' => sub { kill_one('commerce notifier') },
		'the checkpointer' => sub { kill_one('checkpointer') },
		'the server' => \&kill_server,
		'all at once' => sub { $node->stop('immediate') },
		'a relay' => \&kill_relay,
		'the primary' => \&fail_over,
		map { my $name = $_; ("the $name disk is full" => sub { fill_for_a_while($name) }) } @disks);
}

# Whichever of the two servers takes writes.
sub address
{
	return join ' ', 'host=' . join(',', ($node->host) x 2), 'port=' . join(',', map { $_->port } $node, $standby),
		'dbname=postgres target_session_attrs=read-write connect_timeout=10';
}

# The server takes calls again: as it does by itself, or once it is started.
sub comes_back
{
	for (1 .. 3000)
	{
		return if is_ready($node);
		my ($pid) = -e $node->data_dir . '/postmaster.pid' ? split /\n/, slurp_file($node->data_dir . '/postmaster.pid') : ();
		if (!$pid || !kill 0, $pid)
		{
			$node->{_pid} = undef;
			$node->start(fail_ok => 1);
		}
		sleep 0.05;
	}
	die 'the server does not come back';
}

# The events of each order that came to the receiver, by when they came first, and those
# that were written for it.
sub what_came
{
	my (%came, %is_there, %written);

	wait_until(sub { $node->safe_psql('postgres', q(SELECT NOT EXISTS (SELECT FROM commerce.deliveries
		WHERE subscription = 'relay' AND status IN ('available', 'running')))) eq 't' });
	foreach my $request (requests($receiver))
	{
		push @{ $came{ $request->{order_id} } }, $request->{event_id} if !$is_there{ $request->{event_id} }++;
	}
	foreach (split /\n/, $node->safe_psql('postgres', q(SELECT order_id, event_id FROM commerce.deliveries
		WHERE subscription = 'relay' ORDER BY event_id)))
	{
		my ($order_id, $event_id) = split /\|/;
		push @{ $written{$order_id} }, $event_id;
	}
	return (\%came, \%written);
}

sub logs
{
	return map { $PostgreSQL::Test::Utils::log_path . '/' . "080_crash_cycles_$_.log" } qw(a b);
}

sub close_crash_shop
{
	stop_relay($_) foreach @relays;
	stop_receiver($receiver);
	$node->stop;
	return;
}

# ---- ways to go down ----

sub kill_one
{
	my ($type) = @_;
	my ($result, $pid) = $node->psql('postgres', "SELECT pid FROM pg_stat_activity
		WHERE backend_type = '$type' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1");
	kill 'KILL', $pid if $pid;
	return;
}

# The postmaster goes alone; its children notice, and a new one must wait for them.
sub kill_server
{
	my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	my @children = split ' ', `pgrep -P $pid`;

	kill 'KILL', $pid;
	wait_until(sub { !grep { kill 0, $_ } @children });
	return;
}

sub a_relay
{
	return start_relay($node, $receiver, conninfo => address() . ' user=relay', subscription => 'relay',
		lease => '2s', timeout => '1500ms', concurrency => 4, 'batch-size' => 8);
}

sub kill_relay
{
	my $relay = shift @relays;

	kill 'KILL', $relay->{pid};
	wait_relay($relay);
	push @relays, a_relay();
	return;
}

# For a while nothing more can be written; now and then the server ends meanwhile.
sub fill_for_a_while
{
	my ($name) = @_;
	my $from = -s $node->logfile;

	fill_disk($name);
	# However slowly the sessions write.
	wait_until(sub { slurp_file($node->logfile, $from) =~ /No space left on device/ });
	sleep 0.3 + rand 1;
	$node->stop('immediate', fail_ok => 1) if rand() < 0.3;
	free_disk($name);
	return;
}

# A standby has what was answered, so it may take the place of its primary.
sub fail_over
{
	$standby = new_node($standby->name, $standby);
	$node->backup('base');
	$standby->init_from_backup($node, 'base', has_streaming => 1);
	move_wal($standby);
	$standby->start;
	$node->append_conf('postgresql.conf', "synchronous_standby_names = '*'\n");
	$node->reload;
	$node->poll_query_until('postgres', q(SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'))
		or die 'no answer waits for the standby';
	sleep 0.3 + rand 0.5;
	$node->stop('immediate');
	$standby->promote;
	($node, $standby) = ($standby, $node);
	# What the old one has written would take the place of the new one's.
	rmtree(disk('wal') . '/' . $standby->name) if $has_disks;
	return;
}

1;
