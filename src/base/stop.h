/*
 * stop.h
 *		Stop points: steps of a call at which a test may hold or end it.
 *
 * They are there only in a library built with "make STOPS=1"; otherwise they
 * are nothing. test/README.md tells how they are used.
 */
#ifndef COMMERCE_STOP_H
#define COMMERCE_STOP_H

#ifdef COMMERCE_STOPS

/* Pass the point of that name, as the settings commerce.stop_* want it. */
extern void stop_point(const char *name);

/* A call of one of our functions begins, or has come to its end. */
extern void stop_call_begin(void);
extern void stop_call_end(void);

/* Called once, by _PG_init. */
extern void stop_define_settings(void);

#else

#define stop_point(name) ((void) 0)
#define stop_call_begin() ((void) 0)
#define stop_call_end() ((void) 0)
#define stop_define_settings() ((void) 0)

#endif

#endif							/* COMMERCE_STOP_H */
