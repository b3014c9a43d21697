# The signature is that of Standard Webhooks 1.0: src/relay/signature.c against the
# values its authors publish in their libraries' tests, and against openssl.
use strict;
use warnings;
use FindBin;
use MIME::Base64;
use Test::More;
use PostgreSQL::Test::Utils;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $relay = "$FindBin::RealBin/../../src/relay";

open my $source, '>', "$folder/sign.c" or die $!;
print $source <<'SOURCE';
/* sign ID TIMESTAMP BODY SECRET...: prints the signature, or "refused". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "signature.h"

int
main(int argc, char **argv)
{
	Secret		secrets[SECRETS_MAX];
	char		signature[SIGNATURE_SIZE];

	for (int i = 4; i < argc; i++)
	{
		if (!signature_decode_secret(argv[i], strlen(argv[i]), &secrets[i - 4]))
		{
			puts("refused");
			return 0;
		}
	}
	if (!signature_sign(secrets, argc - 4, argv[1], atoll(argv[2]), argv[3],
						strlen(argv[3]), signature))
		return 1;
	puts(signature);
	return 0;
}
SOURCE
close $source;
system_or_bail(qw(gcc -std=gnu99 -g -Wall -Wextra -Werror), "-I$relay",
	'-fsanitize=address,undefined', '-fno-sanitize-recover=all',
	'-o', "$folder/sign", "$folder/sign.c", "$relay/signature.c", '-lcrypto');

sub sign
{
	my ($stdout, $stderr) = run_command([ "$folder/sign", @_ ]);

	is($stderr, '', 'without a complaint') if $stderr ne '';
	return $stdout;
}

# ---- as published ----

# libraries/{go,python,ruby,...}'s tests, and libraries/rust/src/lib.rs, of
# https://github.com/standard-webhooks/standard-webhooks
my @message = ('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}');
my $secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
my $signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
my $secret2 = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';

is(sign(@message, $secret), $signature, 'the message of most libraries');
is(sign('msg_27UH4WbU6Z5A5EzD8u03UvzRbpk', 1649367553,
		'{"email":"test@example.com","username":"test_user"}', $secret2),
	'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=', 'the message of the Rust library');
my $signature2 = sign(@message, $secret2);
is(sign(@message, $secret, $secret2), "$signature $signature2", 'two secrets, two signatures');
is(sign(@message, $secret2, $secret), "$signature2 $signature", 'in their order');

# ---- as openssl has it ----

sub openssl
{
	my ($id, $timestamp, $body, $key) = @_;
	my $file = "$folder/message";

	open my $message, '>', $file or die $!;
	print $message "$id.$timestamp.$body";
	close $message;
	my ($stdout) = run_command([ qw(openssl dgst -sha256 -mac HMAC -macopt),
		'hexkey:' . unpack('H*', $key), $file ]);
	my ($hex) = $stdout =~ /([0-9a-f]{64})/;
	return 'v1,' . encode_base64(pack('H*', $hex), '');
}

is(openssl(@message, decode_base64(substr $secret, 6)), $signature,
	'openssl agrees with the published value');
foreach my $length (24 .. 64)
{
	my $key = join '', map { chr(($_ * 37 + $length) % 256) } 1 .. $length;
	my @other = ("1234567890$length", 1700000000 + $length, '{"name": "셔츠 ' . 'x' x $length . '"}');
	is(sign(@other, 'whsec_' . encode_base64($key, '')), openssl(@other, $key),
		"a secret of $length bytes");
}
my @longest = ('9223372036854775807', '9223372036854775807', 'x' x 100_000);
is(sign(@longest, $secret), openssl(@longest, decode_base64(substr $secret, 6)),
	'the longest id, the last time, a long body');

# ---- what is no secret ----

my $base64 = substr $secret, 6;
foreach my $wrong ('', 'whsec_', $base64, "whsk_$base64", "WHSEC_$base64", "$secret ", " $secret",
	"whsec_ $base64", "whsec_$base64=", "whsec_$base64==", "whsec_$base64====",
	'whsec_' . substr($base64, 0, 31), 'whsec_' . substr($base64, 0, 30) . '=',
	'whsec_' . substr($base64, 0, 28) . '====', "whsec_A=B=$base64", "whsec_$base64-_-_",
	"whsec_$base64\xc3\xa4aa", 'whsec_' . '=' x 32,
	map { 'whsec_' . encode_base64('k' x $_, '') } 0 .. 23, 65 .. 70, 1000)
{
	is(sign(@message, $wrong), 'refused', 'refused: ' . substr $wrong, 0, 60);
}

done_testing();
