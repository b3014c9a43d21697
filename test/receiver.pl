#!/usr/bin/perl
# A webhook receiver on 127.0.0.1, for the demo and the tests:
#
#   receiver.pl [--port PORT] [--port-file FILE] [--log FILE] [--raw FILE]
#       [--script FILE] [--tls-cert FILE --tls-key FILE] SECRET_FILE...
#
# The kernel chooses a port if none is given; it is printed, or written to the
# port file. Each request's Standard Webhooks signature is verified here anew,
# without any code of the transmitter's. The log gets one line per request as it
# comes in, tab-separated: seconds since 1970, webhook-id, order_id, type, which
# of the secrets have signed it ("1", "2", "1+2" or "none"), the answer it gets.
# The raw file gets every request's bytes.
#
# The script says how to answer. It is read anew at each request, so it may be
# replaced meanwhile. A line is "ORDER_ID ANSWER..." or "* ANSWER..." for all
# other orders: an event's first request gets the first answer, its second the
# second, and so on; the last one stays. Without a script all is 200. An answer:
#
#   STATUS         that status
#   STATUS:VALUE   the same with "Retry-After: VALUE"; +SECONDS makes it a date
#   slow:MS        200, after so many milliseconds; slow:MS:STATUS is another one
#   limit:RATE     200, but 429 if there were RATE in the last second;
#                  limit:RATE:VALUE the same with "Retry-After: VALUE"
#   rude           500, with much and unprintable text
#   garbage        something that is not HTTP
#   cut            200, but the connection ends in the middle of it
#   trailers       200, with 100,000 headers behind its body
#   flood:STATUS   that status, with a body of 4 MB that does not end
#   raw:FILE       what is in the file, and nothing else; the connection stays
#   drip:FILE      the same, a byte each 20 ms, the last one for ever
#   reset          nothing, and the connection is reset
#   never          nothing, until the client gives up
#   hold           nothing, until the script says something else
#
# It ends with the process that started it.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_base64);
use Getopt::Long;
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);
use List::Util qw(min);
use MIME::Base64;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $tolerance_s = 300; # between a request's timestamp and our clock

my %option;
GetOptions(\%option, map { "$_=s" } qw(port port-file log raw script tls-cert tls-key))
	or die "see the comment in $0\n";
my @secrets = map { read_secret($_) } @ARGV;
my $log = append_to($option{log} // '/dev/stdout');
my $raw = append_to($option{raw} // '/dev/null');
require IO::Socket::SSL if $option{'tls-cert'};

# Whoever takes the port over need not wait for the end of connections that we had.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1024, ReuseAddr => 1,
	$option{port} ? (LocalPort => $option{port}) : ()) or die "could not listen: $@\n";
my $readable = IO::Select->new($listener);
my %connections; # by socket: {socket, buffer}; {answer, answer_at} when one is due;
                 # {held}, arguments for find_answer, when one is held back
my %asked; # by webhook-id: how often it came
my @taken; # when what has a limit was taken last
my $parent = getppid();

$SIG{PIPE} = 'IGNORE';
tell_port($listener->sockport);
while (getppid() == $parent)
{
	my @held = grep { $_->{held} } values %connections;
	release($_) foreach @held;
	my @waiting = grep { $_->{answer_at} } values %connections;
	my $next = min(time + (@held ? 0.02 : 1), map { $_->{answer_at} } @waiting);

	foreach my $socket ($readable->can_read($next > time ? $next - time : 0))
	{
		if ($socket == $listener)
		{
			accept_connection();
		}
		else
		{
			read_connection($connections{$socket});
		}
	}
	$_->{answer_at} <= time and give_answer($_) foreach @waiting;
}

sub read_secret
{
	my ($file) = @_;
	open my $secret, '<', $file or die "could not open $file: $!\n";
	<$secret> =~ /^whsec_(\S+)\s*$/ or die "$file holds no secret\n";
	return decode_base64($1);
}

sub read_file
{
	my ($file) = @_;
	open my $handle, '<:raw', $file or die "could not open $file: $!\n";
	local $/;
	return scalar <$handle>;
}

sub append_to
{
	my ($file) = @_;
	open my $handle, '>>', $file or die "could not open $file: $!\n";
	binmode $handle;
	$handle->autoflush;
	return $handle;
}

sub tell_port
{
	my ($port) = @_;
	my $file = $option{'port-file'};

	if (!$file)
	{
		STDOUT->autoflush;
		print "$port\n";
		return;
	}
	open my $out, '>', "$file.new" or die "could not open $file.new: $!\n";
	print $out "$port\n";
	close $out;
	rename "$file.new", $file or die "could not write $file: $!\n";
	return;
}

sub accept_connection
{
	my $socket = $listener->accept or return;

	if ($option{'tls-cert'})
	{
		# Whoever does not trust us hangs up here.
		IO::Socket::SSL->start_SSL($socket, SSL_server => 1, Timeout => 60,
			SSL_cert_file => $option{'tls-cert'}, SSL_key_file => $option{'tls-key'})
			or return;
	}
	$readable->add($socket);
	$connections{$socket} = { socket => $socket, buffer => '' };
	return;
}

sub close_connection
{
	my ($connection) = @_;
	$readable->remove($connection->{socket});
	delete $connections{ $connection->{socket} };
	close $connection->{socket};
	return;
}

sub read_connection
{
	my ($connection) = @_;
	my $socket = $connection->{socket};

	# What TLS has already decrypted, select does not see.
	do
	{
		sysread $socket, $connection->{buffer}, 65536, length $connection->{buffer}
			or return close_connection($connection);
	} while ($option{'tls-cert'} && $socket->pending);

	# The request before is not answered yet.
	return if $connection->{answer} || $connection->{held};
	return close_connection($connection) if $connection->{buffer} !~ /^[A-Z]/; # not HTTP
	my ($head) = $connection->{buffer} =~ /^(.*?\r\n)\r\n/s or return;
	my %header = map { /^([^:]+): *(.*)/ ? (lc($1), $2) : () } split /\r\n/, $head;
	my $length = length($head) + 2 + ($header{'content-length'} // 0);
	return if length $connection->{buffer} < $length;

	my $request = substr $connection->{buffer}, 0, $length, '';
	print $raw $request;
	take_request($connection, \%header, substr $request, length($head) + 2);
	return;
}

# Log the request, and decide on its answer.
sub take_request
{
	my ($connection, $header, $body) = @_;
	my $id = $header->{'webhook-id'} // 'none';
	my ($order_id) = $body =~ /"order_id": *(\d+)/;
	my ($event_type) = $body =~ /"type": *"([^"]*)"/;
	my @asked = ($order_id // 0, $asked{$id}++);
	my $answer = find_answer(@asked);
	$answer = take_limited($1, $2) if $answer =~ /^limit:([0-9.]+):?(.*)/;

	printf $log "%s\n", join "\t", sprintf('%.3f', time), $id, $order_id // 'none',
		$event_type // 'none', signed_by($header, $body), $answer;
	$connection->{held} = \@asked if $answer eq 'hold';
	plan_answer($connection, $answer);
	return;
}

# The answer to one more request within a limit.
sub take_limited
{
	my ($rate, $retry_after) = @_;

	@taken = grep { $_ > time - 1 } @taken;
	return '429' . ($retry_after ne '' && ":$retry_after") if @taken >= $rate;
	push @taken, time;
	return 200;
}

sub plan_answer
{
	my ($connection, $answer) = @_;
	return if $answer eq 'never' || $answer eq 'hold';
	$connection->{answer} = $answer;
	$connection->{answer_at} = time + ($answer =~ /^slow:(\d+)/ ? $1 / 1000 : 0);
	return;
}

# Answer what was held back, if the script says so now.
sub release
{
	my ($connection) = @_;
	my $answer = find_answer(@{ $connection->{held} });

	return if $answer eq 'hold';
	delete $connection->{held};
	plan_answer($connection, $answer);
	return;
}

sub signed_by
{
	my ($header, $body) = @_;
	my ($id, $timestamp, $signatures) =
		map { $header->{"webhook-$_"} // '' } qw(id timestamp signature);
	my %given = map { $_ => 1 } split / /, $signatures;

	return 'none' if $timestamp !~ /^\d+$/ || abs($timestamp - time) > $tolerance_s;
	my @signed = grep {
		my $expected = hmac_sha256_base64("$id.$timestamp.$body", $secrets[ $_ - 1 ]);
		$expected .= '=' while length($expected) % 4;
		$given{"v1,$expected"}
	} 1 .. @secrets;
	return join('+', @signed) || 'none';
}

# The script's answer for an order's event that was asked so often before.
sub find_answer
{
	my ($order_id, $times) = @_;
	my %answers = ('*' => ['200']);

	if ($option{script} && open my $script, '<', $option{script})
	{
		while (<$script>)
		{
			my ($for, @answers) = split;
			$answers{$for} = \@answers if @answers;
		}
	}
	my @answers = @{ $answers{$order_id} // $answers{'*'} };
	return $answers[ min($times, $#answers) ];
}

sub give_answer
{
	my ($connection) = @_;
	my ($socket, $answer) = @{$connection}{qw(socket answer)};
	my ($status, $retry_after) = split /:/, $answer;

	delete @{$connection}{qw(answer answer_at)};
	if ($answer eq 'garbage')
	{
		syswrite $socket, "\x00\xffis this the way to the market?\n";
		return close_connection($connection);
	}
	if ($answer eq 'cut')
	{
		syswrite $socket, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nSo far so";
		return close_connection($connection);
	}

	if ($answer eq 'trailers')
	{
		syswrite $socket, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
			. "X-More: and more\r\n" x 100_000 . "\r\n";
		return;
	}
	if ($answer =~ /^raw:(.*)/)
	{
		syswrite $socket, read_file($1);
		return;
	}
	if ($answer =~ /^drip:(.*)/)
	{
		my $text = read_file($1);
		my $nth = $connection->{dripped}++;

		defined syswrite($socket, substr $text, min($nth, length($text) - 1), 1) or return;
		$connection->{answer} = $answer;
		$connection->{answer_at} = time + 0.02;
		return;
	}
	if ($answer eq 'reset')
	{
		setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
		return close_connection($connection);
	}
	if ($answer =~ /^flood:(\d+)/)
	{
		syswrite $socket, "HTTP/1.1 $1 Told\r\n\r\n" . 'and more ' x 500_000;
		return;
	}

	my $body = "told to answer $answer\n";
	if ($answer eq 'rude')
	{
		$status = 500;
		$body = "no\x00\x07\xff\xfe\r\n\x1b[31mred\xc3" . "\xe2\x82" x 10_000;
	}
	(undef, undef, $status) = split /:/, "$answer:200" if $status eq 'slow';
	my $head = "HTTP/1.1 $status Told\r\nContent-Length: " . length($body) . "\r\n";
	if (defined $retry_after && $answer !~ /^slow/)
	{
		$retry_after = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + $1))
			if $retry_after =~ /^\+(\d+)$/;
		$head .= "Retry-After: $retry_after\r\n";
	}
	$head .= 'Location: http://127.0.0.1:' . $listener->sockport . "/moved\r\n"
		if $status =~ /^3/;
	syswrite $socket, "$head\r\n$body";
	return;
}
