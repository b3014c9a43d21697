/*
 * listener.c
 *		A socket that listens at an address.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOST_SIZE		256
#define PORT_MAX		65535
#define BACKLOG			16

/* Cut the address into its parts; the port is in there. */
static bool
split_address(const char *address, char host[HOST_SIZE], const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t		length = colon != NULL ? (size_t) (colon - address) : 0;
	size_t		digits;

	if (length > 2 && address[0] == '[' && address[length - 1] == ']')
	{
		address++;
		length -= 2;
	}
	else if (memchr(address, ':', length) != NULL)
		return false;
	if (length == 0 || length >= HOST_SIZE)
		return false;
	memcpy(host, address, length);
	host[length] = '\0';

	*port = colon + 1;
	digits = strspn(*port, "0123456789");
	return digits > 0 && digits <= 5 && (*port)[digits] == '\0' &&
		atoi(*port) >= 1 && atoi(*port) <= PORT_MAX;
}

static int
listen_at(const struct addrinfo *place)
{
	int			one = 1;
	int			listener = socket(place->ai_family, place->ai_socktype |
								  SOCK_CLOEXEC | SOCK_NONBLOCK,
								  place->ai_protocol);
	int			saved_errno;

	if (listener < 0)
		return -1;
	/* A relay that starts anew need not wait for the connections before. */
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (place->ai_family == AF_INET6)
		setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(listener, place->ai_addr, place->ai_addrlen) == 0 &&
		listen(listener, BACKLOG) == 0)
		return listener;
	saved_errno = errno;
	close(listener);
	errno = saved_errno;
	return -1;
}

int
listener_open(const char *address, char error[ERROR_SIZE])
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV
	};
	struct addrinfo *places;
	char		host[HOST_SIZE];
	const char *port;
	int			listener = -1;
	int			code;

	if (!split_address(address, host, &port))
	{
		snprintf(error, ERROR_SIZE, "metrics-listen must be HOST:PORT, not"
				 " \"%s\"", address);
		return -1;
	}
	code = getaddrinfo(host, port, &hints, &places);
	if (code != 0)
	{
		snprintf(error, ERROR_SIZE, "metrics-listen: could not look up \"%s\":"
				 " %s", host, gai_strerror(code));
		return -1;
	}
	for (const struct addrinfo *place = places;
		 place != NULL && listener < 0; place = place->ai_next)
		listener = listen_at(place);
	if (listener < 0)
		snprintf(error, ERROR_SIZE, "metrics-listen: could not listen at"
				 " \"%s\": %s", address, strerror(errno));
	freeaddrinfo(places);
	return listener;
}
