# What the TAP tests share: a shop's server, and ways to look at it.
package CommerceTest;

use strict;
use warnings;
use Exporter 'import';
use Test::More;
use Time::HiRes qw(sleep time);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(new_server is_ready items sqlstates outcomes contents rows told_by is_sound log_is_clean);

# A running server with the extension in database postgres, unless told not to
# create it. conf: lines for postgresql.conf.
sub new_server
{
	my ($name, %params) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%{ $params{init} || {} });
	$node->append_conf('postgresql.conf', "log_statement = none\n");
	$node->append_conf('postgresql.conf', "$_\n") for @{ $params{conf} || [] };
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION commerce') unless $params{empty};
	return $node;
}

# Whether it lets sessions in. (A psql that is refused may end before poll_query_until()
# has given it its query.)
sub is_ready
{
	my ($node) = @_;
	return system('pg_isready', '-q', '-d', $node->connstr('postgres')) == 0;
}

# An order's items from pairs [option_id, quantity].
sub items
{
	return '[' . join(', ',
		map { qq({"option_id": $_->[0], "quantity": $_->[1]}) } @_) . ']';
}

# The SQLSTATEs of all errors that sql raises, in their order.
sub sqlstates
{
	my ($node, $sql, %params) = @_;
	my ($stdout, $stderr) = ('', '');

	$node->psql($params{dbname} || 'postgres', $sql,
		stdout => \$stdout, stderr => \$stderr, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return join ' ', $stderr =~ /(?:ERROR|FATAL|PANIC):\s+(\w+)/g;
}

# The SQLSTATE of each statement, 00000 where it went through, in a session that the
# role opens. Each is undone. begin: what the session does first.
sub outcomes
{
	my ($node, $role, $statements, %params) = @_;
	my $output = '';
	my $script = join "\n", ($params{begin} // '') . ';', '\o /dev/null',
		map { "BEGIN;\n$_;\n\\echo :SQLSTATE\nROLLBACK;" } @$statements;

	$node->psql($params{dbname} || 'postgres', "$script\n", stdout => \$output, stderr => \my $errors,
		on_error_stop => 0, extra_params => [ '-U', $role ]);
	my @outcomes = $output =~ /^(\w{5})$/mg;
	@outcomes == @$statements or die "$role tried " . @$statements . ': ' . @outcomes . " outcomes\n$errors";
	return @outcomes;
}

# All that a database's commerce tables and sequences hold, as text:
# name => sorted rows.
sub contents
{
	my ($node, $dbname) = @_;
	my %contents;

	my $relations = $node->safe_psql($dbname, q(
		SELECT relname FROM pg_class
		WHERE relnamespace = 'commerce'::regnamespace AND relkind IN ('r', 'S')
		ORDER BY relname));
	foreach my $name (split /\n/, $relations)
	{
		# log_cnt is how many values WAL has reserved, no position.
		my $row = $name =~ /_seq$/ ? 'last_value, is_called' : 't::text COLLATE "C"';
		$contents{$name} = $node->safe_psql($dbname,
			"SELECT $row FROM commerce.$name AS t ORDER BY 1");
	}
	return \%contents;
}

# The same without the sequences, which run ahead of what is rolled back.
sub rows
{
	my $contents = contents(@_);

	delete @{$contents}{ grep { /_seq$/ } keys %$contents };
	return $contents;
}

# The pid of a session that listens and then runs sql, and the pids that told it
# of an event. It listens until $by, a pattern, is among these; without one for
# just long enough to be told if anybody would.
sub told_by
{
	my ($node, $dbname, $sql, $by) = @_;
	my $session = $node->background_psql($dbname);
	my $own = $session->query_safe('SELECT pg_backend_pid()');
	my $output = $session->query_safe("LISTEN commerce_outbox; $sql");
	my $end = time + ($by ? 60 : 1.5);
	my %pids;

	do
	{
		sleep 0.05;
		$output .= $session->query_safe('SELECT 1');
		%pids = map { $_ => 1 } $output =~ /"commerce_outbox" .* PID (\d+)/g;
	} while (time < $end && !($by && grep { /^$by$/ } keys %pids));
	$session->quit;
	return ($own, sort keys %pids);
}

# No invariant is violated.
sub is_sound
{
	my ($node, $name, $dbname) = @_;
	is($node->safe_psql($dbname || 'postgres', 'SELECT * FROM commerce.verify()'),
		'', $name);
	return;
}

# The server neither lost a backend, nor met a deadlock or an error of ours.
sub log_is_clean
{
	my ($node, $name) = @_;
	my $log = slurp_file($node->logfile);

	unlike($log,
		qr/terminated by signal|PANIC:|TRAP:|deadlock detected|XX\d\d\d/, $name);
	return;
}

1;
