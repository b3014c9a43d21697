# DBD::Pg and a pool: a line for each way, with what it comes to.
use strict;
use warnings;
use DBI;

sub show
{
	my ($name, %options) = @_;
	my ($db, $other) = map { DBI->connect('dbi:Pg:dbname=shop', undef, undef,
			{ RaiseError => 1, PrintError => 0, PrintWarn => 0, %options }) } 1, 2;
	my $statement = $db->prepare('SELECT commerce.get_balance(?)');
	my @result;

	foreach my $i (1, 2)
	{
		push @result, eval { $statement->execute(1); $statement->fetchall_arrayref } ? 'works' : $db->state;
		# The server's session that has run it is somebody else's now.
		$other->begin_work if $i == 1;
		$other->do('SELECT 1');
	}
	print "dbi, $name: @result\n";
	eval { $_->disconnect } foreach $db, $other;
	return;
}

# A statement that is prepared is deallocated when it goes.
sub show_in_transaction
{
	my ($name, %options) = @_;
	my $db = DBI->connect('dbi:Pg:dbname=shop', undef, undef, { RaiseError => 1, PrintError => 0, %options });
	my @result;

	$db->begin_work;
	foreach my $i (1, 2)
	{
		my $statement;
		my $works = eval {
			$statement = $db->prepare("SELECT commerce.get_balance(?) + $i");
			$statement->execute(1);
			$statement->fetchall_arrayref;
		};
		push @result, $works ? 'works' : $db->state;
	}
	print "dbi, $name, in a transaction: @result\n";
	eval { $db->rollback };
	return;
}

show_in_transaction('prepared', pg_switch_prepared => 1);
show_in_transaction('pg_server_prepare => 0', pg_server_prepare => 0);
show('prepared', pg_switch_prepared => 1);
show('pg_server_prepare => 0', pg_server_prepare => 0);
