/*
 * metrics.c
 *		The figures as metrics, in Prometheus' text format.
 *
 * Every metric has the label subscription. Which ones there are, and what they
 * mean, stands in the tables here, and in doc/transmission.md for readers.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

#define PREFIX			"commerce_relay_"
/* Each of its 63 characters may need a backslash. */
#define LABEL_SIZE		160

/* What is counted since the start. */
static const struct
{
	const char *name;
	size_t		offset;			/* of an int64_t in Figures */
	const char *help;
}			counters[] =

{
	{"events_claimed_total", offsetof(Figures, claimed),
	"Events claimed, each time"},
	{"events_delivered_total", offsetof(Figures, delivered),
	"Events delivered"},
	{"events_failed_total", offsetof(Figures, failed),
	"Failures that count against an event"},
	{"events_released_total", offsetof(Figures, released),
	"Events given back without blame"},
	{"events_dead_total", offsetof(Figures, dead),
	"Events whose last failure this was"},
	{"leases_lost_total", offsetof(Figures, lease_lost),
	"Outcomes that did not count, as the lease was over"},
};

typedef struct Page
{
	char	   *text;
	size_t		used;
	char		label[LABEL_SIZE];	/* subscription="..." */
} Page;

static void print_line(Page *page, const char *format, ...)
			__attribute__((format(printf, 2, 3)));

static void
print_line(Page *page, const char *format, ...)
{
	size_t		room = METRICS_SIZE - page->used;
	va_list		arguments;
	int			length;

	va_start(arguments, format);
	length = vsnprintf(page->text + page->used, room, format, arguments);
	va_end(arguments);
	/* A line that does not fit is none. */
	if (length > 0 && (size_t) length < room)
		page->used += (size_t) length;
	else
		page->text[page->used] = '\0';
}

static void
write_label(Page *page, const char *subscription)
{
	char	   *to = page->label;

	to += sprintf(to, "subscription=\"");
	for (; *subscription != '\0'; subscription++)
	{
		if (to > page->label + LABEL_SIZE - 4)
			break;
		if (strchr("\\\"\n", *subscription) != NULL)
			*to++ = '\\';
		*to++ = *subscription == '\n' ? 'n' : *subscription;
	}
	strcpy(to, "\"");
}

static void
print_head(Page *page, const char *name, const char *type, const char *help)
{
	print_line(page, "# HELP " PREFIX "%s %s.\n", name, help);
	print_line(page, "# TYPE " PREFIX "%s %s\n", name, type);
}

static void
print_gauge(Page *page, const char *name, const char *help, double value)
{
	print_head(page, name, "gauge", help);
	print_line(page, PREFIX "%s{%s} %.9g\n", name, page->label, value);
}

static void
print_state(Page *page, ReceiverState current)
{
	static const ReceiverState states[] = {
		RECEIVER_WELL, RECEIVER_LIMITING, RECEIVER_AWAY
	};

	print_head(page, "receiver_state", "gauge",
			   "1 for the state that the receiver is in");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		print_line(page, PREFIX "receiver_state{%s,state=\"%s\"} %d\n",
				   page->label, receiver_state_name(states[i]),
				   states[i] == current);
}

static void
print_histogram(Page *page, const char *name, const char *help,
				const Histogram *histogram)
{
	int64_t		count = 0;

	print_head(page, name, "histogram", help);
	for (int i = 0; i < HISTOGRAM_BOUNDS; i++)
	{
		count += histogram->counts[i];
		print_line(page, PREFIX "%s_bucket{%s,le=\"%g\"} %" PRId64 "\n", name,
				   page->label, (double) histogram_bounds_us[i] / US_PER_S,
				   count);
	}
	count += histogram->counts[HISTOGRAM_BOUNDS];
	print_line(page, PREFIX "%s_bucket{%s,le=\"+Inf\"} %" PRId64 "\n", name,
			   page->label, count);
	print_line(page, PREFIX "%s_sum{%s} %.6f\n", name, page->label,
			   (double) histogram->sum_us / US_PER_S);
	print_line(page, PREFIX "%s_count{%s} %" PRId64 "\n", name, page->label,
			   count);
}

void
metrics_write(char text[METRICS_SIZE], const Figures *figures)
{
	Page		page = {.text = text};

	text[0] = '\0';
	write_label(&page, figures->subscription);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
	{
		const char *field = (const char *) figures + counters[i].offset;

		print_head(&page, counters[i].name, "counter", counters[i].help);
		print_line(&page, PREFIX "%s{%s} %" PRId64 "\n", counters[i].name,
				   page.label, *(const int64_t *) field);
	}
	print_gauge(&page, "events_in_flight", "Events on their way",
				figures->in_flight);
	print_gauge(&page, "events_queued", "Events claimed and not on their way",
				figures->queued);
	print_gauge(&page, "lag_seconds",
				"Age of the oldest event claimed and not recorded",
				(double) figures->lag_us / US_PER_S);
	print_gauge(&page, "database_up", "Whether the database is connected",
				figures->connected);
	print_state(&page, figures->receiver);
	print_histogram(&page, "delivery_seconds",
					"How long deliveries took that got through",
					figures->took);
}
