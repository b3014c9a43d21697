/*
 * order_batch.c
 *		Many orders in one call and one commit.
 *
 * The requests are taken in array order and each sees what the earlier ones
 * did. Refusals are values, so that none of them needs a subtransaction.
 *
 * The decision is place_order's own.
 *
 * Locks. All that the batch may need is locked before the first request is
 * looked at, in the order that holds everywhere: keys, balances, coupons,
 * stock, each ascending. So batches never deadlock, whatever the order of their
 * requests. An option with less than the whole batch wants has all its slots
 * locked: what is there then is exact.
 *
 * Writes. A balance and a counter are changed in memory as orders take from
 * them, and written once: two hundred buyers of one option are one update of
 * its stock. New rows are inserted together, at the end of a part.
 *
 * Memory. A large batch is worked off in parts, each with its own rows. What
 * is kept from part to part is the requests and the keys; the locks are the
 * transaction's.
 */
#include "postgres.h"

#include "base/answers.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/ids.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "order/order_decide.h"
#include "order/order_insert.h"
#include "order/order_keys.h"
#include "order/order_requests.h"
#include "shop/stock.h"
#include "utils/builtins.h"

/* A part is closed when it has as many requests or lines. */
#define PART_REQUESTS	200
#define PART_LINES		2000

/* A Payment begins with its user_id. */
typedef Payment BatchUser;

typedef struct BatchCoupon
{
	int64		coupon_id;
	Row		   *coupon;			/* as the orders so far leave it, or NULL */
} BatchCoupon;

typedef struct BatchOption
{
	int64		option_id;
	int64		wanted;			/* by all requests together */
	int64		held;
	int64		left;			/* of what is held */
	CounterHold hold;
} BatchOption;

/* What is decided of a request before anything is locked. */
typedef struct Priced
{
	Pricing		pricing;
	Refusal    *refusal;		/* pricing_lines()'s */
} Priced;

/* Some requests, and all that they may change: each sorted by id. */
typedef struct Part
{
	Work	   *work;
	const OrderKeys *keys;
	RequestedOrder *requests;
	int			request_count;
	Priced	   *priced;			/* as requests */
	BatchUser  *users;
	int			user_count;
	BatchCoupon *coupons;
	int			coupon_count;
	BatchOption *options;
	int			option_count;
} Part;

/* ---- what a part needs ---- */

/* Users, coupons and options all begin with their id. */
static void *
find_by_id(void *elements, int count, size_t size, int64 id)
{
	void	   *found = bsearch(&id, elements, count, size, id_compare_first);

	Assert(found != NULL);
	return found;
}

/* Sort, and keep one of each id; returns how many. */
static int
sort_unique(void *elements, int count, size_t size)
{
	qsort(elements, count, size, id_compare_first);
	return qunique(elements, count, size, id_compare_first);
}

/* Sort by option, adding up what is wanted of each. */
static int
sort_options(BatchOption *options, int count)
{
	int			merged = 0;

	if (count == 0)
		return 0;
	qsort(options, count, sizeof(BatchOption), id_compare_first);
	for (int i = 1; i < count; i++)
	{
		if (options[i].option_id != options[merged].option_id)
			options[++merged] = options[i];
		else if (pg_add_s64_overflow(options[merged].wanted, options[i].wanted,
									 &options[merged].wanted))
			options[merged].wanted = PG_INT64_MAX;
	}
	return merged + 1;
}

static int
line_count(const RequestedOrder *requests, int count)
{
	int			lines = 0;

	for (int i = 0; i < count; i++)
		if (requests[i].refusal == NULL)
			lines += requests[i].order.items.count;
	return lines;
}

/*
 * Will it be answered without a look at balances, coupons and stock? So is who
 * asks again for what was placed before, and needs none of their locks.
 */
static bool
is_answered(const Part *part, const RequestedOrder *requested)
{
	OrderKey   *key = order_keys_find(part->keys, requested);

	return requested->refusal != NULL || (key != NULL && key->is_used);
}

/* Collect what the part's requests may change. */
static void
collect_part(Part *part)
{
	int			count = part->request_count;
	int			lines = line_count(part->requests, count);

	part->users = palloc0(count * sizeof(BatchUser));
	part->coupons = palloc0(count * sizeof(BatchCoupon));
	part->options = palloc0(lines * sizeof(BatchOption));
	for (int i = 0; i < count; i++)
	{
		const OrderRequest *request = &part->requests[i].order;
		const OrderItems *items = &request->items;

		if (is_answered(part, &part->requests[i]))
			continue;
		part->users[part->user_count++].user_id = request->user_id;
		if (request->has_coupon)
			part->coupons[part->coupon_count++].coupon_id = request->coupon_id;
		for (int j = 0; j < items->count; j++)
		{
			BatchOption *option = &part->options[part->option_count++];

			option->option_id = items->by_line[j].option_id;
			option->wanted = items->by_line[j].quantity;
		}
	}
	part->user_count = sort_unique(part->users, part->user_count,
								   sizeof(BatchUser));
	part->coupon_count = sort_unique(part->coupons, part->coupon_count,
									 sizeof(BatchCoupon));
	part->option_count = sort_options(part->options, part->option_count);
}

/* ---- locks ---- */

static void
lock_option(Work *work, BatchOption *option)
{
	option->held = counter_hold_most(work, TABLE_STOCK_SLOTS, option->option_id,
									 option->wanted, &option->hold);
	option->left = option->held;
}

static int
lock_count(const Part *part)
{
	return part->user_count + part->coupon_count + part->option_count;
}

/* Take the i-th lock, in the order that holds everywhere. */
static void
lock_nth(Part *part, int i)
{
	int			coupon = i - part->user_count;
	int			option = coupon - part->coupon_count;

	CHECK_FOR_INTERRUPTS();
	if (option >= 0)
		lock_option(part->work, &part->options[option]);
	else if (coupon >= 0)
		part->coupons[coupon].coupon =
			row_lock(part->work, TABLE_COUPONS,
					 Int64GetDatum(part->coupons[coupon].coupon_id));
	else
		payment_lock(part->work, part->users[i].user_id, &part->users[i]);
}

static void
lock_part(Part *part)
{
	for (int i = 0; i < lock_count(part); i++)
		lock_nth(part, i);
}

/*
 * Lock what all parts will need; the rows themselves are not kept. A part then
 * finds its locks taken, and waits for nobody.
 */
static void
lock_ahead(const OrderKeys *keys, RequestedOrder *requests, int count)
{
	Work		work;
	Part		all = {
		.work = &work, .keys = keys, .requests = requests,
		.request_count = count
	};
	int			locks;

	collect_part(&all);
	locks = lock_count(&all);
	for (int i = 0; i < locks; i++)
	{
		if (i % PART_LINES == 0)
			row_begin_write(&work, "place_orders()");
		lock_nth(&all, i);
		if (i % PART_LINES == PART_LINES - 1 || i == locks - 1)
			row_end(&work);
	}
	pfree(all.users);
	pfree(all.coupons);
	pfree(all.options);
}

/* ---- one request ---- */

/* The source of one request of a part: all is priced and locked already. */
typedef struct LockedSource
{
	OrderSource source;
	Part	   *part;
	const Priced *priced;
} LockedSource;

static Refusal *
priced_before(OrderSource *source, const OrderRequest *request,
			  Pricing *pricing)
{
	const Priced *priced = ((LockedSource *) source)->priced;

	*pricing = priced->pricing;
	return priced->refusal;
}

static Refusal *
compare_stock(OrderSource *source, const OrderItems *items, bool is_refused)
{
	Part	   *part = ((LockedSource *) source)->part;
	int64	   *available = palloc(items->count * sizeof(int64));
	Refusal    *refusal;

	for (int i = 0; i < items->count; i++)
	{
		BatchOption *option = find_by_id(part->options, part->option_count,
										 sizeof(BatchOption),
										 items->by_line[i].option_id);

		available[i] = option->left;
	}
	refusal = stock_compare(items, available);
	pfree(available);
	return refusal;
}

static Payment *
find_locked_payment(OrderSource *source, const OrderRequest *request,
					const Pricing *pricing)
{
	Part	   *part = ((LockedSource *) source)->part;

	return find_by_id(part->users, part->user_count, sizeof(BatchUser),
					  request->user_id);
}

static Row *
find_locked_coupon(OrderSource *source, int64 coupon_id)
{
	Part	   *part = ((LockedSource *) source)->part;
	BatchCoupon *coupon = find_by_id(part->coupons, part->coupon_count,
									 sizeof(BatchCoupon), coupon_id);

	return coupon->coupon;
}

/* Take what the order takes, and write what is only its own. */
static void
take_locked(Part *part, int64 order_id, const OrderRequest *request,
			OrderDecision *decision)
{
	for (int i = 0; i < request->items.count; i++)
	{
		const OrderItem *item = &request->items.by_line[i];
		BatchOption *option = find_by_id(part->options, part->option_count,
										 sizeof(BatchOption), item->option_id);

		option->left -= item->quantity;
	}
	payment_take(decision->payment, decision->pricing.total, order_id);
	if (request->has_coupon)
	{
		BatchCoupon *used = find_by_id(part->coupons, part->coupon_count,
									   sizeof(BatchCoupon),
									   request->coupon_id);

		used->coupon = coupon_use(&decision->coupon, order_id);
	}
	order_insert(part->work, order_id, request, &decision->pricing);
}

/* Place the i-th order or refuse it; *order_id becomes its id. */
static Refusal *
place_nth(Part *part, int i, int64 *order_id)
{
	const RequestedOrder *requested = &part->requests[i];
	const OrderRequest *request = &requested->order;
	OrderKey   *key = order_keys_find(part->keys, requested);
	LockedSource locked = {
		.source = {
			.work = part->work, .find_price = priced_before,
			.look_at_stock = compare_stock,
			.find_payment = find_locked_payment,
			.find_coupon = find_locked_coupon
		},
		.part = part, .priced = &part->priced[i]
	};
	OrderDecision decision = {0};
	Refusal    *refusal;

	if (requested->refusal)
		return requested->refusal;
	if (key && key->is_used)
		return order_key_replay(part->work, key, request, order_id);

	refusal = order_decide(&locked.source, request, &decision);
	if (refusal)
		return refusal;
	if (key)
		*order_id = key->order_id;
	else if (requested->order_id)
		*order_id = requested->order_id;
	else
		*order_id = id_next(SEQUENCE_ORDER_ID, request->user_id);
	take_locked(part, *order_id, request, &decision);
	if (key)
		order_key_use(part->work, key, request);
	return NULL;
}

/* ---- the batch ---- */

/*
 * Look the prices up, before waiting for anybody and while nobody waits for us:
 * an order pays what was committed when it asked.
 */
static void
price_part(Part *part)
{
	part->priced = palloc0(part->request_count * sizeof(Priced));
	for (int i = 0; i < part->request_count; i++)
	{
		Priced	   *priced = &part->priced[i];

		CHECK_FOR_INTERRUPTS();
		if (!is_answered(part, &part->requests[i]))
			priced->refusal = pricing_lines(part->work,
											&part->requests[i].order.items,
											&priced->pricing);
	}
}

/* Write what the orders took from balances and stock. */
static void
write_taken(Part *part)
{
	for (int i = 0; i < part->user_count; i++)
		payment_write(&part->users[i]);
	for (int i = 0; i < part->option_count; i++)
	{
		BatchOption *option = &part->options[i];

		counter_take_less(&option->hold, option->held - option->left);
	}
}

/* As many of the requests as make a part. */
static int
part_size(const RequestedOrder *requests, int count)
{
	int			lines = 0;
	int			size = 0;

	while (size < count && size < PART_REQUESTS && lines < PART_LINES)
		lines += line_count(&requests[size++], 1);
	return size;
}

static void
place_part(RequestedOrder *requests, int count, int first_no,
		   const OrderKeys *keys, Answers *answers)
{
	Work		work;
	Part		part = {
		.work = &work, .keys = keys, .requests = requests,
		.request_count = count
	};

	row_begin_write(&work, "place_orders()");
	row_queue_inserts(&work, TABLE_BALANCE_HISTORY);
	row_queue_inserts(&work, TABLE_ORDERS);
	row_queue_inserts(&work, TABLE_ORDER_ITEMS);
	row_queue_inserts(&work, TABLE_EVENTS);
	collect_part(&part);
	price_part(&part);
	lock_part(&part);
	for (int i = 0; i < count; i++)
	{
		int64		order_id = 0;
		Refusal    *refusal;

		CHECK_FOR_INTERRUPTS();
		refusal = place_nth(&part, i, &order_id);
		answers_add(answers, refusal, Int32GetDatum(first_no + i),
					Int64GetDatum(order_id));
	}
	write_taken(&part);
	row_end(&work);
}

static Entry place_orders_entry = {
	.arguments = {{"requests", JSONBOID}},
	.columns = {INT4OID, INT8OID, TEXTOID, TEXTOID, JSONBOID},
	.is_batch = true
};

/* Many orders at once: doc/reference.md, Orders. */
ENTRY_POINT(place_orders)
{
	Answers		answers;
	RequestedOrder *requests;
	OrderKeys	keys;
	int			count;
	int			size;

	requests = order_requests_parse(PG_GETARG_JSONB_P(0), &count);
	answers_begin(&answers, fcinfo);

	keys = order_keys_lock(requests, count);
	if (part_size(requests, count) < count)
		lock_ahead(&keys, requests, count);
	for (int done = 0; done < count; done += size)
	{
		size = part_size(&requests[done], count - done);
		place_part(&requests[done], size, done + 1, &keys, &answers);
	}
	order_keys_write(&keys);
	answers_end(&answers, CALLS_place_orders);
	return (Datum) 0;
}
