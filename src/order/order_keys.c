/*
 * order_keys.c
 *		The idempotency keys of a batch of orders.
 *
 * Keys come first in the lock order, so all are reserved before anything else
 * is locked, each for the first request that bears it. If that one is refused,
 * the next one with this key is a request like any other; a key that no request
 * used is forgotten in the end. The order's id is the key's, whichever request
 * uses it.
 */
#include "postgres.h"

#include "base/bucket.h"
#include "lib/qunique.h"
#include "miscadmin.h"
#include "order/order_keys.h"

/* Keys written in one go: that many rows are kept in memory. */
#define KEYS_AT_ONCE	1000

static int
compare_texts(text *a, text *b)
{
	int			length = VARSIZE_ANY_EXHDR(a);
	int			other = VARSIZE_ANY_EXHDR(b);
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b),
							   Min(length, other));

	return order != 0 ? order : (length > other) - (length < other);
}

static int
compare_scopes(const void *a, const void *b)
{
	const Idempotency *scope = &((const OrderKey *) a)->scope;
	const Idempotency *other = &((const OrderKey *) b)->scope;

	if (scope->user_id != other->user_id)
		return scope->user_id < other->user_id ? -1 : 1;
	return compare_texts(scope->key, other->key);
}

/* And by request, so that the first one of each stays. */
static int
compare_keys(const void *a, const void *b)
{
	const OrderKey *x = a;
	const OrderKey *y = b;
	int			order = compare_scopes(a, b);

	return order != 0 ? order : x->first_request - y->first_request;
}

static Idempotency
scope_of(const RequestedOrder *requested)
{
	Idempotency scope = {
		"place_order", requested->order.user_id, requested->idempotency_key
	};

	return scope;
}

static bool
has_key(const RequestedOrder *requested)
{
	return requested->refusal == NULL && requested->idempotency_key != NULL;
}

static bytea *
digest_of(const OrderRequest *request)
{
	StringInfoData arguments;
	bytea	   *digest;

	initStringInfo(&arguments);
	order_request_canonical(request, &arguments);
	digest = idempotency_digest(&arguments);
	pfree(arguments.data);
	return digest;
}

/* The different keys of the requests, in their lock order. */
static OrderKeys
collect_keys(const RequestedOrder *requests, int count)
{
	OrderKeys	keys = {palloc0(Max(count, 1) * sizeof(OrderKey)), 0};

	for (int i = 0; i < count; i++)
		if (has_key(&requests[i]))
		{
			OrderKey   *key = &keys.keys[keys.count++];

			key->scope = scope_of(&requests[i]);
			key->first_request = i;
		}
	qsort(keys.keys, keys.count, sizeof(OrderKey), compare_keys);
	keys.count = qunique(keys.keys, keys.count, sizeof(OrderKey),
						 compare_scopes);
	return keys;
}

/* A copy that outlives the work. */
static bytea *
keep_digest(Work *work, bytea *digest)
{
	MemoryContext old = MemoryContextSwitchTo(work->caller_context);
	bytea	   *kept = DatumGetByteaPCopy(PointerGetDatum(digest));

	MemoryContextSwitchTo(old);
	return kept;
}

static void
reserve_key(Work *work, OrderKey *key, const RequestedOrder *first)
{
	bytea	   *digest = digest_of(&first->order);

	key->order_id = first->order_id;
	key->is_reserved = idempotency_reserve(work, &key->scope, &digest,
										   &key->order_id);
	key->is_used = !key->is_reserved;
	key->digest = key->written_digest = keep_digest(work, digest);
}

/*
 * Keys are reserved with their order's id, sorted. So that ids still follow the
 * array, the other requests get theirs now too.
 */
static void
take_order_ids(RequestedOrder *requests, int count)
{
	for (int i = 0; i < count; i++)
		if (requests[i].refusal == NULL)
			requests[i].order_id = id_next(SEQUENCE_ORDER_ID,
										   requests[i].order.user_id);
}

OrderKeys
order_keys_lock(RequestedOrder *requests, int count)
{
	OrderKeys	keys = collect_keys(requests, count);
	Work		work;

	if (keys.count > 0)
		take_order_ids(requests, count);
	for (int i = 0; i < keys.count; i++)
	{
		if (i % KEYS_AT_ONCE == 0)
			row_begin_write(&work, "place_orders()");
		reserve_key(&work, &keys.keys[i],
					&requests[keys.keys[i].first_request]);
		if (i % KEYS_AT_ONCE == KEYS_AT_ONCE - 1 || i == keys.count - 1)
			row_end(&work);
	}
	return keys;
}

OrderKey *
order_keys_find(const OrderKeys *keys, const RequestedOrder *requested)
{
	OrderKey	wanted = {0};

	if (!has_key(requested))
		return NULL;
	wanted.scope = scope_of(requested);
	return bsearch(&wanted, keys->keys, keys->count, sizeof(OrderKey),
				   compare_scopes);
}

Refusal *
order_key_replay(Work *work, const OrderKey *key, const OrderRequest *request,
				 int64 *order_id)
{
	if (!idempotency_same(key->digest, digest_of(request)))
		return idempotency_conflict(&key->scope);
	if (!key->is_reserved &&
		row_find(work, TABLE_ORDERS, Int64GetDatum(key->order_id)) == NULL)
		return refuse_order_not_found(key->order_id);
	*order_id = key->order_id;
	return NULL;
}

void
order_key_use(Work *work, OrderKey *key, const OrderRequest *request)
{
	bytea	   *digest = digest_of(request);

	key->is_used = true;
	if (!idempotency_same(key->digest, digest))
		key->digest = keep_digest(work, digest);
}

static void
write_key(Work *work, const OrderKey *key)
{
	if (!key->is_used)
		idempotency_forget(work, &key->scope);
	else if (!idempotency_same(key->digest, key->written_digest))
		idempotency_set_digest(work, &key->scope, key->digest);
}

void
order_keys_write(const OrderKeys *keys)
{
	Work		work;

	for (int i = 0; i < keys->count; i++)
	{
		if (i % KEYS_AT_ONCE == 0)
			row_begin_write(&work, "place_orders()");
		CHECK_FOR_INTERRUPTS();
		if (keys->keys[i].is_reserved)
			write_key(&work, &keys->keys[i]);
		if (i % KEYS_AT_ONCE == KEYS_AT_ONCE - 1 || i == keys->count - 1)
			row_end(&work);
	}
}
