/*
 * actor.h
 *		Who did it: a name that is written with what is done.
 */
#ifndef COMMERCE_ACTOR_H
#define COMMERCE_ACTOR_H

#include "row/row.h"

/* The settings commerce.record_actor and commerce.actor. */
extern bool actor_is_recorded;
extern char *actor_setting;

/* Most characters of a name. */
#define ACTOR_MAX_CHARACTERS	63

/*
 * Set the column to who does this, or leave it NULL when that is not to be
 * recorded: commerce.actor, or where that is empty, the session's user.
 */
extern void actor_set(Row *row, ColumnId column);

#endif							/* COMMERCE_ACTOR_H */
