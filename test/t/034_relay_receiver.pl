# What the relay makes of a receiver's answers, in time that is made up: who is to
# blame, when it is away, and how fast one is asked that takes so many requests a
# second, however it counts them.
use strict;
use warnings;
use FindBin;
use Test::More;
use PostgreSQL::Test::Utils;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $relay = "$FindBin::RealBin/../../src/relay";

open my $source, '>', "$folder/judge.c" or die $!;
print $source <<'SOURCE';
/*
 * judge STEP...: a step is +MS, which lets time pass; begin:EVENT; end:EVENT:OUTCOME
 * or end:EVENT:OUTCOME:RETRY_AFTER, which prints the verdict; state, which prints it
 * and how long nothing starts; or choose:EVENT:EVENT..., which prints the next probe.
 *
 * limit WAY RATE RETRY_AFTER EVENTS prints how many events a second get through, if
 * there are so many, and which state is left.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "receiver.h"

#define SLOTS	16

static Receiver receiver;
static int64_t now = 1000 * US_PER_S;

/* ---- judge ---- */

static Event events[1000];

static void
end(int id, char *rest)
{
	static const char *const outcomes[] = {"delivered", "refused", "limited", "unwell", "gone"};
	static const char *const verdicts[] = {"delivered", "failed", "released"};
	char	   *outcome = strtok(rest, ":");
	char	   *after = strtok(NULL, ":");

	for (int i = 0; i < 5; i++)
	{
		if (strcmp(outcomes[i], outcome) == 0)
			events[id].outcome = i;
	}
	events[id].retry_after_s = after != NULL ? atoi(after) : 0;
	printf("%s ", verdicts[receiver_judge(&receiver, &events[id], now)]);
}

static void
show_state(void)
{
	int64_t		next = receiver_next_us(&receiver);

	printf("%s", receiver_state_name(receiver_state(&receiver)));
	if (next == INT64_MAX)
		printf(":never ");
	else
		printf(":%d ", next > now ? (int) ((next - now) / US_PER_MS) : 0);
}

static void
choose(char *rest)
{
	EventList	list = {0};

	for (char *id = strtok(rest, ":"); id != NULL; id = strtok(NULL, ":"))
		event_append(&list, &events[atoi(id)]);
	printf("%d/%d ", (int) receiver_choose(&receiver, &list)->event_id,
		   receiver_probe_size(&receiver));
}

static void
step(char *word)
{
	char	   *rest = strchr(word, ':');
	int			id = rest != NULL ? (int) strtol(rest + 1, &rest, 10) : 0;

	if (word[0] == '+')
		now += atoi(word + 1) * US_PER_MS;
	else if (strncmp(word, "begin:", 6) == 0)
	{
		events[id].started_us = now;
		receiver_started(&receiver, now);
	}
	else if (strncmp(word, "end:", 4) == 0)
		end(id, rest + 1);
	else if (strncmp(word, "choose:", 7) == 0)
		choose(word + 7);
	else
		show_state();
	receiver_look(&receiver, now);
}

/* ---- limit ---- */

static double last = -9, tokens, filled, window_begin = -9, taken_at[1000];
static int	window_count, taken_count;

/* Whether a receiver of that kind takes a request at that time. */
static int
takes(const char *way, double rate, double at)
{
	if (strcmp(way, "distance") == 0)
	{
		if (at - last < 1 / rate)
			return 0;
		last = at;
		return 1;
	}
	if (strcmp(way, "bucket") == 0)
	{
		tokens = fmin(rate, tokens + (at - filled) * rate);
		filled = at;
		if (tokens < 1)
			return 0;
		tokens--;
		return 1;
	}
	if (strcmp(way, "second") == 0)
	{
		if (floor(at) > window_begin)
		{
			window_begin = floor(at);
			window_count = 0;
		}
		return window_count++ < rate;
	}
	/* the last second */
	if (taken_count >= rate && taken_at[(taken_count - (int) rate) % 1000] > at - 1)
		return 0;
	taken_at[taken_count++ % 1000] = at;
	return 1;
}

static void
limit(const char *way, double rate, int retry_after_s, int wanted)
{
	Event		slots[SLOTS] = {0};
	int64_t		ends[SLOTS] = {0};
	int64_t		begin = now;
	int			got = 0;
	int			refused = 0;

	while (got < wanted && now < begin + 3600 * US_PER_S)
	{
		for (int i = 0; i < SLOTS; i++)
		{
			if (ends[i] > 0 && ends[i] <= now)
			{
				got += slots[i].outcome == OUTCOME_DELIVERED;
				refused += slots[i].outcome != OUTCOME_DELIVERED;
				receiver_judge(&receiver, &slots[i], now);
				ends[i] = 0;
			}
			if (ends[i] == 0 && now >= receiver_next_us(&receiver))
			{
				int			good = takes(way, rate, (double) now / US_PER_S);

				receiver_started(&receiver, now);
				slots[i].started_us = now;
				slots[i].outcome = good ? OUTCOME_DELIVERED : OUTCOME_LIMITED;
				slots[i].retry_after_s = good ? 0 : retry_after_s;
				ends[i] = now + 3 * US_PER_MS;
			}
		}
		receiver_look(&receiver, now);
		now += US_PER_MS;
	}
	printf("%.2f %d %s", (double) got * US_PER_S / (now - begin), refused,
		   receiver_state_name(receiver_state(&receiver)));
}

int
main(int argc, char **argv)
{
	for (int i = 0; i < 1000; i++)
		events[i].event_id = i;
	if (strcmp(argv[1], "limit") == 0)
		limit(argv[2], atof(argv[3]), atoi(argv[4]), atoi(argv[5]));
	for (int i = 2; i < argc && strcmp(argv[1], "judge") == 0; i++)
		step(argv[i]);
	putchar('\n');
	return 0;
}
SOURCE
close $source;
system_or_bail(qw(gcc -std=gnu99 -g -Wall -Wextra -Werror), "-I$relay",
	'-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-o', "$folder/judge",
	"$folder/judge.c", map({ "$relay/$_.c" } qw(receiver rate suspects event log text)), '-lm');

sub answer_of
{
	my ($stdout, $stderr) = run_command([ "$folder/judge", @_ ]);

	is($stderr, '', 'without a complaint') if $stderr ne '';
	return $stdout =~ s/\s+$//r;
}

sub judged
{
	my ($steps, $expected, $name) = @_;
	is(answer_of('judge', split ' ', $steps), $expected, $name);
	return;
}

# One after the other: each of these events is sent and ends so.
sub sent
{
	my ($outcome, @events) = @_;
	return join ' ', map { "begin:$_ +3 end:$_:$outcome" } @events;
}

# ---- who is to blame ----

judged(sent('delivered', 1) . ' state', 'delivered well:0', 'what gets through is delivered');
judged(sent('refused', 1) . ' state', 'failed well:0', 'what is refused has failed');
judged('begin:1 +1 end:1:gone', 'released', 'an endpoint that is gone is no event\'s fault');
judged(sent('unwell', 1) . ' state', 'released well:0', 'an error may be anybody\'s at first');
judged(join(' ', sent('unwell', 1), sent('delivered', 2), '+500', sent('unwell', 1), 'state'),
	'released delivered failed well:0', 'and is the event\'s if another got through since');
judged(join(' ', sent('unwell', 1), sent('delivered', 2), '+500', sent('unwell', 1), '+5000',
		(sent('unwell', 1), '+25000') x 8),
	'released delivered failed' . ' failed' x 8, 'also when nothing else comes any more');
judged('begin:2 ' . sent('unwell', 1) . ' end:2:delivered +500 ' . sent('unwell', 1),
	'released delivered released', 'another that began before says nothing');
judged(join(' ', sent('unwell', 1), sent('delivered', 2, 1), '+500', sent('unwell', 1)),
	'released delivered delivered released', 'once it got through, nothing is held against it');

# ---- away ----

judged(sent('unwell', 1, 2, 3) . ' state begin:4 state',
	'released released released away:1000 away:never', 'three in a row: it is away');
judged('begin:4 ' . sent('unwell', 1, 2) . ' begin:5 begin:3 +3 end:3:delivered end:4:unwell end:5:unwell '
		. 'end:6:unwell state ' . sent('unwell', 7) . ' state',
	'released released delivered released released released well:0 released away:1000',
	'three that began before another got through: only with one that began since');
judged(join(' ', sent('unwell', 1, 2), sent('delivered', 3), sent('unwell', 4, 5), 'state'),
	'released released delivered released released well:0', 'two and two are not');
judged(join(' ', sent('unwell', 1, 2), sent('refused', 3), sent('unwell', 4, 5), 'state'),
	'released released failed released released well:0', 'whatever it says shows that it is there');
judged(join(' ', sent('unwell', 1 .. 3), map { ('+60000', sent('unwell', 3 + $_), 'state') } 1 .. 7),
	'released released released '
	. join(' ', map { "released away:$_" } 2000, 4000, 8000, 16000, 30000, 30000, 30000),
	'a probe after one second, two, and so on to thirty');
judged('begin:5 ' . sent('unwell', 1 .. 3) . ' end:5:unwell state',
	'released released released released away:1000', 'what ends later was no probe');
judged(join(' ', sent('unwell', 1), sent('delivered', 2), sent('unwell', 3 .. 5), '+1000',
		sent('unwell', 1), 'state'),
	'released delivered released released released released away:2000',
	'while it is away, nobody is to blame');
judged(join(' ', sent('unwell', 1 .. 3), '+1000', sent('delivered', 4), 'state'),
	'released released released delivered well:0', 'one gets through: full speed');
judged(join(' ', sent('unwell', 1 .. 3), '+1000', sent('limited', 4), 'state'),
	'released released released released away:2000', 'too many requests: it takes none');

# The event that was not tried for the longest time, the first of these.
judged(join(' ', sent('unwell', 1 .. 3), 'choose:1:2:3', 'choose:1:4:5:2'),
	'released released released 1/4 4/4', 'a probe is one that was not tried yet');

# ---- Retry-After ----

judged(sent('unwell:100', 1) . ' state', 'released away:100000', 'an error until then: it is away');
judged(sent('unwell:100000', 1) . ' state', 'released away:3600000', 'but not for longer than an hour');
judged('begin:1 ' . sent('delivered', 2) . ' end:1:unwell:100 state', 'delivered released well:0',
	'but if another got through meanwhile');
judged(sent('limited:100', 1) . ' state', 'released away:100000', 'too many requests until then');
judged(sent('limited:2', 1) . ' state', 'released limiting:2000', 'or just for a moment');
judged(join(' ', sent('unwell', 1 .. 3), '+1000', sent('unwell:20', 4), 'state', '+20000',
		sent('unwell', 5), 'state'),
	'released released released released away:20000 released away:4000', 'what a probe is told counts');

# ---- so many requests a second ----

foreach my $way ('distance', 'bucket', 'second', 'last second')
{
	foreach my $retry_after (0, 1)
	{
		my $name = "3 requests a second by $way, " . ($retry_after ? 'Retry-After' : 'without Retry-After');
		foreach my $events (60, 300)
		{
			my ($rate, $refused, $state) = split ' ', answer_of('limit', $way, 3, $retry_after, $events);
			cmp_ok($rate, '>=', 2.5, "$name: $events get through in time");
			cmp_ok($refused, '<', 16 + $events / 5, "$name: and few are too many");
			is($state, 'limiting', "$name: limiting");
		}
	}
}
my ($rate) = split ' ', answer_of('limit', 'bucket', 200, 0, 10_000);
cmp_ok($rate, '>=', 150, '200 requests a second');
($rate) = split ' ', answer_of('limit', 'distance', 0.2, 0, 50);
cmp_ok($rate, '>=', 0.1, 'one in five seconds');
judged(join(' ', sent('delivered', 1), sent('limited', 2), '+89990', 'state', '+10', 'state'),
	'delivered released limiting:0 well:0', 'a limit that is not heard of again is forgotten');
judged(join(' ', (sent('limited', 1), '+2000') x 3, 'state'),
	'released released released away:0', 'it takes not even one a second: it is away');

done_testing();
