# A receiver that means harm: answers that do not end, lie about themselves, ask for more
# than the event, or hold what drives a terminal. Each costs the relay what one failure
# does, tells it nothing, and gets nothing else from it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Compress::Zlib;
use Test::More;
use PostgreSQL::Test::Utils;
use CommerceTest;
use Processes;
use RelayAnswers;
use RelayTest;

my $node = new_shop('abuse');
my $receiver = start_receiver([ secret_file('a') ]);
my @short = (timeout => '1s');

try_answers_of($node, $receiver);

sub raw { return 'raw:' . write_file($_[0]); }
sub head { my ($status, @headers) = @_; return join("\r\n", "HTTP/1.1 $status", @headers) . "\r\n\r\n"; }

# ---- what has no end ----

is_kept('a header of 10 MB', raw("HTTP/1.1 200 OK\r\nX: " . 'x' x 10_000_000), $no_answer, @short);
is_kept('200,000 headers', raw(head('200 OK', ('X-More: and more') x 200_000)), $no_answer, @short);
is_kept('a million provisional answers', raw(head('100 Continue') x 1_000_000), $no_answer, @short);
is_kept('a header that drips', 'drip:' . write_file("HTTP/1.1 200 OK\r\nX: x"), $no_answer, @short);
is_kept('a body that drips', 'drip:' . write_file(head('200 OK', 'Content-Length: 1000000') . 'x'), $no_answer, @short);

# ---- lies ----

is_kept('a chunk of no length', raw(head('200 OK', 'Transfer-Encoding: chunked') . "so long\r\nx\r\n"), $no_answer, @short);
is_kept('a chunk longer than all', raw(head('200 OK', 'Transfer-Encoding: chunked') . 'F' x 40 . "\r\nx\r\n"), $no_answer, @short);
is_kept('a length below zero', raw(head('200 OK', 'Content-Length: -1') . 'x'), $no_answer, @short);
is_kept('a zero byte in a header', raw(head('200 OK', "X: a\0b", 'Content-Length: 0')), $no_answer, @short);
is_kept('another protocol', raw(head('101 Switching Protocols', 'Upgrade: x', 'Connection: Upgrade') . head('200 OK')), $no_answer, @short);
is_kept('a reset', 'reset', $no_answer, @short);
is_kept('no TLS where it should be', '200', qr/./, @short, url => $receiver->{url} =~ s/^http/https/r);

# Nothing is unpacked, so nothing grows.
my $bomb = Compress::Zlib::memGzip('boom ' x 20_000_000);
fails('a bomb', raw(head('404 No', 'Content-Encoding: gzip', 'Content-Length: ' . length $bomb) . $bomb), qr/^HTTP 404/);
unlike($node->safe_psql('postgres', 'SELECT last_error FROM commerce.deliveries'), qr/boom/, 'it is not unpacked');

# ---- the terminal ----

my $rude = "\x1b[2J\x1b]0;title\x07\x{9b}31m\xc2\x9b31m\xe2\x80\xa8\xe2\x80\xaetxt.exe%s%n";
fails('a rude status line', raw("HTTP/1.1 404 $rude\r\nX: $rude\r\nContent-Length: 2\r\n\r\nno"), qr/^HTTP 404/);
fails('a rude answer', raw(head('404 No', 'Content-Length: ' . length $rude) . $rude), qr/^HTTP 404: .*txt\.exe%s%n/);
fails('a line that is none', raw(head('404 No', 'Content-Length: 41') . qq(x\ntime=0 level=error event=forged id="1" \n)), qr/^HTTP 404: x time=0/);
my $try = try_answer(raw(head('404 No', 'Content-Length: 31') . qq(x\r\ntime=0 level=info event=forged)));
is(join("\n", grep { !/^time=2\S+ level=/ } split /\n/, $try->{log}), '', 'no answer makes a line of the log');

# ---- what it asks for ----

# The next request is like any other, and there is one an event.
my $passwd = 'file:///etc/passwd';
foreach my $case ([ 'a file', '302 Found', "Location: $passwd" ], [ 'a file, for good', '308 Moved', "Location: $passwd" ],
	[ 'a password', '401 Unauthorized', 'WWW-Authenticate: Basic realm="shop"' ],
	[ 'a login', '401 Unauthorized', 'WWW-Authenticate: Negotiate' ],
	[ 'a proxy login', '407 Proxy Authentication Required', 'Proxy-Authenticate: Basic realm="shop"' ])
{
	my ($name, $status, @headers) = @$case;
	my $before = requests($receiver);
	my $asked = try_answer(raw(head($status, @headers, 'Content-Length: 0')));

	is(requests($receiver) - $before, 1, "it asks for $name: one request");
	unlike("$asked->{log} " . ($asked->{error} // ''), qr/root:/, 'and gets none');
}
forget_events($node);
place($node, 2);
answer($receiver, '* ' . raw(head('200 OK', 'Set-Cookie: id=1', 'Alt-Svc: h2="127.0.0.1:1"', 'Strict-Transport-Security: max-age=9999',
	'Refresh: 0; url=/moved', 'Content-Length: 0')));
my ($code) = run_relay($node, $receiver, once => 1, concurrency => 1);
is("$code " . events($node, 'status'), "0 delivered\ndelivered", 'it asks to be remembered: the events are delivered');
my $raw = slurp_file($receiver->{raw});
unlike($raw, qr/^(?:Cookie|Authorization|Proxy-\w+):/mi, 'no request brings anything of it back');
unlike($raw, qr/^(?!POST \/orders HTTP\/1\.1\r$)[A-Z]+ \S+ HTTP/m, 'nor goes anywhere else');

# ---- an answer too many ----

# It is not the next event's.
forget_events($node);
place($node, 2);
my $second = $node->safe_psql('postgres', 'SELECT max(order_id) FROM commerce.events');
answer($receiver, '* ' . raw(head('200 OK', 'Content-Length: 0') x 2), "$second 404");
run_relay($node, $receiver, once => 1, concurrency => 1);
is(events($node, 'status'), "delivered\navailable", 'an answer that nobody asked for is none');

log_is_clean($node, 'no crash, no internal error');
$node->stop;
done_testing();
