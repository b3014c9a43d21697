# One event and one answer of the receiver: what becomes of the event.
package RelayAnswers;

use strict;
use warnings;
use Exporter 'import';
use Test::More;
use CommerceTest;
use RelayTest;

our @EXPORT = qw(try_answers_of try_answer $no_answer is_readable fails is_kept);

my ($node, $receiver);

# In this shop, by this receiver.
sub try_answers_of
{
	($node, $receiver) = @_;
	return;
}

# One event and one try: its exit code, and what its delivery says. The next try is
# so many seconds after the relay began, and so many after it ended.
sub try_answer
{
	my ($answer, %options) = @_;

	forget_events($node);
	place($node);
	answer($receiver, "* $answer");
	my ($begin) = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())');
	my ($code, $log) = run_relay($node, $receiver, once => 1, %options);
	my ($end) = $node->safe_psql('postgres', 'SELECT extract(epoch FROM clock_timestamp())');
	my $row = events($node, "status, attempt, failures, last_error,
		extract(epoch FROM next_attempt_at) - $begin, extract(epoch FROM next_attempt_at) - $end");
	my %try = (code => $code, log => $log);

	@try{qw(status attempt failures error after_begin after_end)} = split /\|/, $row;
	return \%try;
}

# What libcurl says in its own words: not that there was an answer.
our $no_answer = qr/^(?!HTTP \d)\S.*\w/;

sub is_readable
{
	my ($name, $error) = @_;
	is($error =~ /[^ -~]/, '', "$name: the error is one readable line");
	cmp_ok(length $error, '<', 500, "$name: and no novel");
	return;
}

# It failed, and will be tried again after the usual 5 s, +- 10 %.
sub fails
{
	my ($name, $answer, $error, %options) = @_;
	my $try = try_answer($answer, %options);

	is("$try->{code} $try->{status} $try->{attempt} $try->{failures}", '4 available 1 1',
		"$name: has failed, and will be tried again");
	like($try->{error}, $error, "$name: last_error");
	is_readable($name, $try->{error});
	cmp_ok($try->{after_begin}, '>=', 4.5, "$name: after the usual while");
	cmp_ok($try->{after_end}, '<=', 5.5, "$name: and no longer");
	like($try->{log}, qr/event=delivery_failed event_id=\d+ .*order_id=\d+ .*attempt=1 /s,
		"$name: the log tells of it");
	return;
}

# It is given back, since the receiver may be to blame, and will soon be tried again.
sub is_kept
{
	my ($name, $answer, $error, %options) = @_;
	my $try = try_answer($answer, %options);

	is("$try->{code} $try->{status} $try->{attempt} $try->{failures}", '4 available 1 0',
		"$name: is kept without blame");
	cmp_ok($try->{after_end}, '<=', 1, "$name: and will soon be tried again");
	my ($told) = $try->{log} =~ /event=delivery_released event_id=\d+ .*attempt=1 error="(.*)"$/m;
	like($told, $error, "$name: the log tells why");
	is_readable($name, $told);
	return;
}

1;
