# What goes wrong with DBD::Pg, and what does not: a line for each.
use strict;
use warnings;
use DBI;
use JSON::PP;

my $db = DBI->connect('dbi:Pg:dbname=shop', undef, undef, { RaiseError => 1, PrintError => 0 });

sub show
{
	my ($name, $sql, @parameters) = @_;
	my ($result) = eval { $db->selectrow_array($sql, undef, @parameters) };

	print "dbi: $name: ", $result // $db->state, "\n";
	return;
}

my $quote = 'SELECT line_total FROM commerce.quote_order(1, ?)';
my ($available) = $db->selectrow_array('SELECT available FROM commerce.stock');
my $typed = '2';
show('a quantity that was read', $quote, encode_json([ { option_id => 1, quantity => $available } ]));
show('a quantity that is text', $quote, encode_json([ { option_id => 1, quantity => $typed } ]));
show('a quantity as a number', $quote, encode_json([ { option_id => 1, quantity => 0 + $typed } ]));
show('an option_id that is text', $quote, encode_json([ { option_id => '1', quantity => 1 } ]));
show('an array', 'SELECT commerce.ack_events(?, ?)', [1], [1]);
show('a boolean', 'SELECT true');
