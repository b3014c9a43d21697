/*
 * user.h
 *		Users: making, naming, erasing them.
 */
#ifndef COMMERCE_USER_H
#define COMMERCE_USER_H

#include "base/refusal.h"
#include "row/row.h"

/* USER_NOT_FOUND; in a cluster BUCKET_ELSEWHERE if it is another node's. */
extern Refusal *user_not_found(int64 user_id);

/* Refuses with that. Users are never deleted: no lock needed. */
extern Refusal *user_check(Work *work, int64 user_id);

#endif							/* COMMERCE_USER_H */
