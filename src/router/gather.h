/*
 * gather.h
 *		Where one node has too little: units of the others, or what all have.
 *
 * Source: doc/scale.md, "How it works".
 */
#ifndef COMMERCE_GATHER_H
#define COMMERCE_GATHER_H

#include "postgres.h"

#include "router/forward.h"

/*
 * Is the answer of node taker, to a call that began at the mark, what the
 * caller is told? If it is that there is too little, then no: others give what
 * they have, and the call is to be tried again; or all together have too
 * little, and the answer says so. Raises SC901 where nobody can say that.
 */
extern bool gather_for_answer(Answer *answer, int32 taker, int64 mark);

#endif							/* COMMERCE_GATHER_H */
