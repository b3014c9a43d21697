/*
 * stock.h
 *		Stock of options: enough for an order? Move it.
 */
#ifndef COMMERCE_STOCK_H
#define COMMERCE_STOCK_H

#include "counter/counter.h"
#include "shop/items.h"

/*
 * Refuses with INSUFFICIENT_STOCK, listing the lines that want more than is
 * available, which is by line.
 */
extern Refusal *stock_compare(const OrderItems *items,
							  const int64 *available);

/*
 * Is there enough for every line, now? Refuses with INSUFFICIENT_STOCK, listing
 * every short line. Locks nothing, so that what is there may be gone at once.
 */
extern Refusal *stock_check_available(Work *work, const OrderItems *items);

/*
 * A first look, cheaper and without locks, which fills holds, by option. False:
 * there may be too little; stock_check_available tells.
 */
extern bool stock_look(Work *work, const OrderItems *items,
					   CounterHold *holds);

/*
 * After a look that fell short: INSUFFICIENT_STOCK as of that look's snapshot,
 * or NULL if it takes another one to tell. Not above READ COMMITTED.
 */
extern Refusal *stock_refuse_looked(const OrderItems *items,
									const CounterHold *holds);

/*
 * Lock the stock of every line, options ascending, after stock_look. Refuses
 * like stock_check_available. takes: may take some of it at once, for a caller
 * that raises its refusals.
 */
extern Refusal *stock_hold(Work *work, const OrderItems *items, bool takes,
						   CounterHold *holds);

/* So many units of an option. */
typedef struct StockUnits
{
	int64		option_id;
	int64		quantity;
} StockUnits;

/*
 * Put sold units back; the options are different ones, ascending. Refuses
 * with STOCK_OUT_OF_RANGE over 2^63-1.
 */
extern Refusal *stock_give_back(Work *work, const StockUnits *units,
								int count);

/* Record a change of stock that is no sale, and why. */
extern void stock_record(Work *work, int64 option_id, int64 quantity,
						 text *reason);

/* What such a record of an order says, before its number. */
#define STOCK_NOT_RESTOCKED "not restocked: order "

/* Record that sold units of a closed order are not put back. */
extern void stock_write_off(Work *work, const StockUnits *units, int count,
							int64 order_id);

/*
 * Add a signed quantity to the stock of an option that exists. Refuses with
 * INSUFFICIENT_STOCK below zero, STOCK_OUT_OF_RANGE over 2^63-1.
 */
extern Refusal *stock_move(Work *work, int64 option_id, int64 quantity);

#endif							/* COMMERCE_STOCK_H */
