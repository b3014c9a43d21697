/*
 * listener.h
 *		A socket that listens at an address.
 */
#ifndef RELAY_LISTENER_H
#define RELAY_LISTENER_H

#include "text.h"

/* "HOST:PORT", "[IPV6]:PORT"; the socket, or -1 and why not. */
extern int	listener_open(const char *address, char error[ERROR_SIZE]);

#endif
