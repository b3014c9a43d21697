/*
 * metrics.h
 *		The figures as metrics, in Prometheus' text format.
 */
#ifndef RELAY_METRICS_H
#define RELAY_METRICS_H

#include "figures.h"

#define METRICS_TYPE	"text/plain; version=0.0.4; charset=utf-8"
#define METRICS_SIZE	16384

extern void metrics_write(char text[METRICS_SIZE], const Figures *figures);

#endif
