/*
 * stock.c
 *		Stock of options: enough for an order? Move it.
 *
 * The counters are in stock_slots; counter.c has their rules.
 */
#include "postgres.h"

#include "shop/actor.h"
#include "shop/stock.h"
#include "utils/builtins.h"

Refusal *
stock_compare(const OrderItems *items, const int64 *available)
{
	RefusalOptions *shortages = NULL;

	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *item = &items->by_line[i];

		if (item->quantity > available[i])
			refusal_add_option(&shortages, items->count, item->option_id,
							   item->quantity, available[i]);
	}
	return shortages ? refuse_insufficient_stock(shortages) : NULL;
}

bool
stock_look(Work *work, const OrderItems *items, CounterHold *holds)
{
	bool		suffices = true;

	for (int i = 0; i < items->count; i++)
	{
		const OrderItem *item = &items->by_line[items->by_option[i]];

		if (!counter_look(work, TABLE_STOCK_SLOTS, item->option_id,
						  item->quantity, &holds[i]))
			suffices = false;
	}
	return suffices;
}

Refusal *
stock_refuse_looked(const OrderItems *items, const CounterHold *holds)
{
	int64	   *available = palloc(items->count * sizeof(int64));

	for (int i = 0; i < items->count; i++)
	{
		const CounterHold *hold = &holds[i];

		if (hold->own == NULL && !hold->is_only)
			return NULL;
		available[items->by_option[i]] =
			hold->own ? hold->quantity : hold->seen;
	}
	return stock_compare(items, available);
}

Refusal *
stock_hold(Work *work, const OrderItems *items, bool takes, CounterHold *holds)
{
	int64	   *available = palloc(items->count * sizeof(int64));

	for (int i = 0; i < items->count; i++)
	{
		int			line = items->by_option[i];

		if (takes && counter_take_looked(&holds[i]))
			available[line] = items->by_line[line].quantity;
		else
			counter_hold_looked(work, TABLE_STOCK_SLOTS,
								items->by_line[line].option_id, &holds[i],
								&available[line]);
	}
	return stock_compare(items, available);
}

Refusal *
stock_check_available(Work *work, const OrderItems *items)
{
	int64	   *available = palloc(items->count * sizeof(int64));

	row_refresh(work);
	for (int i = 0; i < items->count; i++)
		available[i] = counter_available(work, TABLE_STOCK_SLOTS,
										 items->by_line[i].option_id);
	return stock_compare(items, available);
}

static Refusal *
take(Work *work, int64 option_id, uint64 quantity)
{
	RefusalOptions *shortages = NULL;
	CounterHold hold;
	int64		available;

	/* The lowest bigint has no opposite; nobody has that much. */
	if (counter_hold(work, TABLE_STOCK_SLOTS, option_id,
					 Min(quantity, PG_INT64_MAX), &hold, &available) &&
		quantity <= PG_INT64_MAX)
	{
		counter_take(&hold);
		return NULL;
	}
	refusal_add_option(&shortages, 1, option_id, quantity, available);
	return refuse_insufficient_stock(shortages);
}

Refusal *
stock_give_back(Work *work, const StockUnits *units, int count)
{
	for (int i = 0; i < count; i++)
		if (!counter_give_back(work, TABLE_STOCK_SLOTS, units[i].option_id,
							   units[i].quantity))
			return refuse_stock_out_of_range(units[i].option_id);
	return NULL;
}

void
stock_record(Work *work, int64 option_id, int64 quantity, text *reason)
{
	Row		   *row = row_new(work, TABLE_STOCK_ADJUSTMENTS);

	row_set_int64(row, STOCK_ADJUSTMENTS_ADJUSTMENT_ID,
				  sequence_next(SEQUENCE_ADJUSTMENT_ID));
	row_set_int64(row, STOCK_ADJUSTMENTS_OPTION_ID, option_id);
	row_set_int64(row, STOCK_ADJUSTMENTS_QUANTITY, quantity);
	row_set(row, STOCK_ADJUSTMENTS_REASON, PointerGetDatum(reason));
	row_set_now(row, STOCK_ADJUSTMENTS_CREATED_AT);
	actor_set(row, STOCK_ADJUSTMENTS_ACTOR);
	row_insert(row);
}

void
stock_write_off(Work *work, const StockUnits *units, int count,
				int64 order_id)
{
	text	   *reason =
		cstring_to_text(psprintf(STOCK_NOT_RESTOCKED INT64_FORMAT, order_id));

	for (int i = 0; i < count; i++)
		stock_record(work, units[i].option_id, -units[i].quantity, reason);
}

Refusal *
stock_move(Work *work, int64 option_id, int64 quantity)
{
	if (quantity < 0)
		return take(work, option_id, -(uint64) quantity);
	if (counter_give(work, TABLE_STOCK_SLOTS, option_id, quantity))
		return NULL;
	return refuse_stock_out_of_range(option_id);
}
