# A newer library is installed under a server that runs: every session goes on with the
# one that it has loaded, and so does the whole server if that was preloaded. What
# doc/operation.md says of the order of the steps is so: an update that comes too early
# fails, or is felt by sessions that have the older library.
#
# test/next makes up the newer version, 1.1. Its function add_memo, declared by hand,
# tells which library a session has: only the newer one has it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Test::More;
use CommerceTest;
use NextVersion;

my $one = items([ 1, 1 ]);
my $buy = "SELECT status FROM commerce.place_order(1, '$one');";
my $hold = "SELECT status FROM commerce.hold_order(1, '$one');";
my $memo = q(DROP FUNCTION IF EXISTS public.add_memo;
	CREATE FUNCTION public.add_memo(bigint, text) RETURNS bigint AS '$libdir/commerce', 'commerce_add_memo' LANGUAGE C;
	SELECT public.add_memo(1, 'fragile'););

# What a session prints, or the errors' SQLSTATEs.
sub told
{
	my ($session, $sql) = @_;
	my $stdout = $session->query($sql);
	my @errors = $session->{stderr} =~ /ERROR:\s+(\w+)/g;

	$session->{stderr} = '';
	return @errors ? "@errors" : $stdout;
}

sub open_session
{
	my ($node) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->query_safe('\set VERBOSITY sqlstate');
	return $session;
}

sub version
{
	my ($node) = @_;
	return $node->safe_psql('postgres', q(SELECT extversion FROM pg_extension WHERE extname = 'commerce'));
}

sub open_shop
{
	my ($node) = @_;
	$node->safe_psql('postgres', q(
		CREATE EXTENSION commerce;
		SELECT FROM commerce.create_user('Kim', 1);
		SELECT FROM commerce.charge_balance(1, 100000);
		SELECT FROM commerce.create_product('shirt', 1);
		SELECT FROM commerce.create_product_option(1, 'red', 100, 1000, 1);));
	return;
}

my ($has_old, $has_new) = ('42883 42883', '55000');

# ---- not preloaded ----

my $node = new_replaceable('loaded_by_sessions');
open_shop($node);
my $before = open_session($node);
is(told($before, $buy), 'paid', 'a session buys with the older library');
replace_library($node, 'next');
is(told($before, $buy . $memo), $has_old, 'when a newer one is installed, it keeps what it has');
my $after = open_session($node);
is(told($after, $buy), 'paid', 'a session that begins then buys in the older schema');
is(told($after, $memo), $has_new, 'with the newer library');
is(told($before, $buy), 'paid', 'both go on');

is(told($before, 'ALTER EXTENSION commerce UPDATE;'), '42883', 'the update fails in a session with the older library');
is(version($node), '1.0', 'and has changed nothing');
is(told($before, $buy), 'paid', 'and the session goes on');
is(told($after, 'ALTER EXTENSION commerce UPDATE;'), '', 'in one with the newer library it passes');
is(told($before, $buy), '42P13', 'whoever has the older library cannot call what has a new argument');
is(told($before, $hold), 'pending', 'but the rest');
$before->quit;
$before = open_session($node);
is(told($before, $buy), 'paid', 'and all when it connects again');
is_sound($node, 'the shop is sound');
$_->quit foreach $before, $after;
log_is_clean($node, 'no process crashed');
$node->stop;

# ---- preloaded ----

$node = new_replaceable('preloaded', "shared_preload_libraries = 'commerce'", "commerce.databases = 'postgres'");
open_shop($node);
replace_library($node, 'next');
$after = open_session($node);
is(told($after, $buy . $memo), $has_old, 'preloaded, the older library is what sessions have that begin then');
is(told($after, 'ALTER EXTENSION commerce UPDATE;'), '42883', 'the update fails');
is(version($node), '1.0', 'and has changed nothing');
$after->quit;

my $notifiers = q(SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'commerce notifier');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->append_conf('postgresql.conf', "commerce.databases = 'other, postgres'\n");
$node->reload;
ok($node->poll_query_until('postgres', $notifiers, 'other postgres'), 'notifiers run and are started');

$node->restart;
$after = open_session($node);
is(told($after, $buy), 'paid', 'after a restart it sells in the older schema');
is(told($after, $memo), $has_new, 'with the newer library');
is(told($after, 'ALTER EXTENSION commerce UPDATE;'), '', 'the update passes');
is(told($after, "SELECT memo FROM commerce.place_order(1, '$one', memo => 'fragile');"), 'fragile', 'and what is new is there');
ok($node->poll_query_until('postgres', $notifiers, 'other postgres'), 'the notifiers run again');
is_sound($node, 'the shop is sound');
$after->quit;
log_is_clean($node, 'no process crashed');
$node->stop;
done_testing();
