/*
 * user.h
 *		Users: making, naming, erasing them.
 */
#ifndef COMMERCE_USER_H
#define COMMERCE_USER_H

#include "base/refusal.h"
#include "row/row.h"

/* Refuses with USER_NOT_FOUND. Users are never deleted: no lock needed. */
extern Refusal *user_check(Work *work, int64 user_id);

#endif							/* COMMERCE_USER_H */
