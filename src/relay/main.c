/*
 * main.c
 *		commerce_relay: transmits the events of a commerce database.
 *
 * Start and signals; the work is in relay.c. --help says what the program does.
 */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "arguments.h"
#include "check.h"
#include "config.h"
#include "headers.h"
#include "listener.h"
#include "memory.h"
#include "option_value.h"
#include "options.h"
#include "program.h"
#include "relay.h"
#include "secrets.h"
#include "text.h"

/* A core file would hold the secrets. */
static void
leave_no_core(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
#ifdef __linux__
	/* A program that takes core files by a pipe heeds no limit. */
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* The handler writes each signal's number, the loop waits for it here. */
static int	signal_pipe[2];

static void
on_signal(int number)
{
	static volatile sig_atomic_t stops = 0;
	int			saved_errno = errno;
	char		byte = (char) number;

	if (number != SIGHUP && stops++ > 0)
		_exit(128 + number);
	/* A full pipe holds plenty of signals to react to. */
	if (write(signal_pipe[1], &byte, 1) < 0)
		errno = 0;
	errno = saved_errno;
}

static void
catch_signals(void)
{
	static const int caught[] = {SIGTERM, SIGINT, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (pipe(signal_pipe) != 0)
		memory_check(NULL);
	for (int i = 0; i < 2; i++)
	{
		fcntl(signal_pipe[i], F_SETFD, FD_CLOEXEC);
		fcntl(signal_pipe[i], F_SETFL, O_NONBLOCK);
	}
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaction(caught[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* All that the relay is told, checked. */
static void
read_options(Options *options, int argc, char **argv)
{
	bool		config_is_private = true;

	memset(options, 0, sizeof(*options));
	option_set_usual(options);
	arguments_read(options, argc, argv);
	if (options->config != NULL)
		config_is_private = config_read(options, options->config);
	check_options(options, config_is_private);
}

int
main(int argc, char **argv)
{
	Setup		setup = {.listener = -1};
	Options    *options = &setup.options;
	char		error[ERROR_SIZE];
	int			code;

	leave_no_core();
	read_options(options, argc, argv);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		memory_check(NULL);
	if (!secrets_load(&setup.secrets, options->secret_files,
					  options->secret_file_count, error))
		program_refuse("%s", error);
	if (!options->to_stdout &&
		(setup.headers = headers_load(options, error)) == NULL)
		program_refuse("%s", error);
	if (options->metrics_listen != NULL &&
		(setup.listener = listener_open(options->metrics_listen, error)) < 0)
		program_refuse("%s", error);
	catch_signals();
	setup.signals = signal_pipe[0];
	code = relay_run(&setup);
	secrets_wipe(&setup.secrets);
	if (setup.headers != NULL)
		headers_drop(setup.headers);
	curl_global_cleanup();
	options_free(options);
	return code;
}
