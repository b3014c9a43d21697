# Parts of a call work as the extension's owner. However a call ends, or stops halfway, its
# caller is the caller again, and has no right more.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use EveryCall;

my $node = new_server('identity');
my %call = (%writer, %reader);
my $owner = $node->safe_psql('postgres', 'SELECT current_user');

make_busy($node);
# One order is due, one event is done with.
my $one = items([ 1, 1 ]);
$node->safe_psql('postgres', "SELECT commerce.hold_order(1, '$one', ttl => '1 microsecond'), commerce.place_order(1, '$one');
	SELECT commerce.discard_event((SELECT max(event_id) FROM commerce.events))");
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN; SELECT commerce.grant_access('$_', '$_')") foreach qw(reader app relay router admin);
my %level = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
	q(SELECT object_name, level FROM commerce.access_rights() WHERE privilege = 'EXECUTE'));

# After each statement, in its transaction, the caller is what the session is, and may not
# write. %f stands for a call, %s for one whose rows come one by one.
sub is_caller
{
	my ($name, $statement, %params) = @_;
	foreach my $role (qw(reader app relay router admin))
	{
		my @names = grep { $level{$_} eq $role } sort keys %call;
		my @statements;
		foreach my $function (@names)
		{
			my $call = "commerce.$function($call{$function})";
			my $done = $statement =~ s/%f/SELECT * FROM $call/gr =~ s/%s/SELECT $call/gr;

			push @statements, "$done;\nSELECT 1 / (current_user = '$role' AND session_user = '$role')::integer",
				"$done;\nUPDATE commerce.balances SET balance = 1";
		}
		my @outcomes = outcomes($node, $role, \@statements, %params);
		is(join(' ', map { "$names[$_ / 2]:$outcomes[$_]" } grep { $outcomes[$_] ne ($_ % 2 ? '42501' : '00000') } 0 .. $#outcomes),
			'', "$role: $name");
	}
	return;
}

is_caller('after a call', '%f');
is_caller('after a cursor that was left behind', "DECLARE c CURSOR FOR %s, generate_series(1, 3);\nFETCH 1 FROM c");
is_caller('and one on its rows', "DECLARE c CURSOR FOR %f;\nFETCH 1 FROM c");
my $caught = "DO \$do\$ BEGIN PERFORM count(*) FROM (%f) f; RAISE EXCEPTION 'undo'; EXCEPTION WHEN OTHERS OR query_canceled THEN NULL; END \$do\$";
is_caller('after an error that was caught', $caught);
is_caller('after a savepoint', "SAVEPOINT here;\n%f;\nROLLBACK TO here");
is_caller('after a refusal to write', $caught =~ s/BEGIN PERFORM/BEGIN SET TRANSACTION READ ONLY; PERFORM/r);

# An error in the middle, wherever a row is written.
$node->safe_psql('postgres', q(
	CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
		RAISE EXCEPTION 'as %', current_user USING ERRCODE = 'ZZ001';
	END$$;
	DO $$ DECLARE t text; BEGIN
		FOR t IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'commerce'::regnamespace AND relkind = 'r' LOOP
			EXECUTE format('CREATE TRIGGER fail BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION public.fail()', t);
		END LOOP;
	END $$));
is_caller('after an error of a trigger', $caught);
my @failing = grep { my ($outcome) = outcomes($node, $level{$_}, [ "SELECT commerce.$_($call{$_})" ]); $outcome eq 'ZZ001' } sort keys %writer;
cmp_ok(scalar @failing, '>', 35, 'which most calls met');
my @as_owner = grep {
	my $errors;
	$node->psql('postgres', "SELECT commerce.$_($call{$_})", stderr => \$errors, extra_params => [ '-U', $level{$_} ]);
	$errors =~ /as $owner$/m;
} @failing;
is("@as_owner", 'erase_user give_bucket purge_events purge_idempotency_keys refuse_bucket retry_events take_bucket', 'these alone write as the owner, as doc/operation.md says');
$node->safe_psql('postgres', 'DROP FUNCTION public.fail CASCADE');

is_sound($node, 'no invariant is violated');
log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
