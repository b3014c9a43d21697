/*
 * report.c
 *		The entries of the log that tell of the relay as a whole.
 */
#include "report.h"

#include "clock.h"
#include "log.h"

void
report_start(const Options *options, int added_headers)
{
	LogEntry	entry;

	log_begin(&entry, LOG_INFO, "start");
	log_text(&entry, "version", COMMERCE_VERSION);
	log_text(&entry, "subscription", options->subscription);
	log_text(&entry, "to", options->to_stdout ? "stdout" : options->shown_url);
	log_int(&entry, "secrets", options->secret_file_count);
	log_int(&entry, "headers", added_headers);
	log_int(&entry, "batch_size", options->batch_size);
	log_int(&entry, "concurrency", options->concurrency);
	log_int(&entry, "lease_ms", options->lease_us / US_PER_MS);
	log_int(&entry, "timeout_ms", options->timeout_us / US_PER_MS);
	log_int(&entry, "poll_interval_ms", options->poll_interval_us / US_PER_MS);
	log_text(&entry, "once", options->once ? "on" : "off");
	log_end(&entry);
}

void
report_status(const Figures *figures)
{
	LogEntry	entry;

	log_begin(&entry, LOG_INFO, "status");
	log_int(&entry, "claimed", figures->claimed);
	log_int(&entry, "delivered", figures->delivered);
	log_int(&entry, "failed", figures->failed);
	log_int(&entry, "dead", figures->dead);
	log_int(&entry, "released", figures->released);
	log_int(&entry, "in_flight", figures->in_flight);
	log_int(&entry, "queued", figures->queued);
	log_int(&entry, "lag_ms", figures->lag_us / US_PER_MS);
	log_int(&entry, "lease_lost", figures->lease_lost);
	log_text(&entry, "receiver", receiver_state_name(figures->receiver));
	log_end(&entry);
}

void
report_stopping(const char *level, const char *reason, const Figures *figures)
{
	LogEntry	entry;

	log_begin(&entry, level, "stopping");
	log_text(&entry, "reason", reason);
	log_int(&entry, "in_flight", figures->in_flight);
	log_int(&entry, "queued", figures->queued);
	log_end(&entry);
}

void
report_end(int exit_code)
{
	LogEntry	entry;

	log_begin(&entry, LOG_INFO, "shutdown");
	log_int(&entry, "exit_code", exit_code);
	log_end(&entry);
}
