/*
 * settings.h
 *		The settings of the extension.
 */
#ifndef COMMERCE_SETTINGS_H
#define COMMERCE_SETTINGS_H

/* Define them all; called once, by _PG_init. */
extern void settings_init(void);

#endif							/* COMMERCE_SETTINGS_H */
