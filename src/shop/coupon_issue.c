/*
 * coupon_issue.c
 *		Issuing coupons, one or many.
 *
 * The unique index on (user, policy, issue_no) is what holds per_user_limit:
 * two requests of one user want the same number, the second waits for the first
 * to end and counts again. The quota's counter, the hottest of the locks, comes
 * after that.
 *
 * Many at once. The last coupons go to the first in the array, but coupons are
 * inserted by user, ascending, so that two such calls never deadlock. So users
 * are looked at first, then as many as the quota seems to hold are chosen in
 * array order, their coupons inserted, and then the quota is taken, once for
 * all. If by then there is less of it, the last ones of the array lose theirs.
 * There cannot be more for those who were not chosen: a user who was issued a
 * coupon by another call meanwhile took one of the quota as well.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/answers.h"
#include "base/args.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/ids.h"
#include "catalog/pg_type.h"
#include "counter/counter.h"
#include "miscadmin.h"
#include "shop/coupon_issue.h"
#include "shop/coupon_policy.h"
#include "shop/idempotency.h"
#include "shop/user.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

/* Users that one Work handles. */
#define PART_USERS	1000

int			coupon_max_batch_users;

/* The unique index. */
static const ColumnId issue_columns[] = {
	COUPONS_USER_ID, COUPONS_POLICY_ID, COUPONS_ISSUE_NO
};

/* What issuing needs of a policy. */
typedef struct IssueTerms
{
	int64		policy_id;
	int32		limit;
	TimestampTz expires_at;		/* of a coupon issued now; DT_NOEND: never */
} IssueTerms;

/* May the policy's coupons be issued now? Refuses with SC005, SC201, SC202. */
static Refusal *
read_terms(Work *work, int64 policy_id, IssueTerms *terms)
{
	Row		   *policy = coupon_policy_find(work, policy_id);
	Refusal    *refusal;

	if (policy == NULL)
		return refuse_coupon_policy_not_found(policy_id);
	refusal = coupon_policy_check_period(policy);
	if (refusal)
		return refusal;
	terms->policy_id = policy_id;
	terms->limit = row_int32(policy, COUPON_POLICIES_PER_USER_LIMIT);
	terms->expires_at =
		coupon_policy_expiry(policy, GetCurrentTransactionStartTimestamp());
	return NULL;
}

/* How many coupons of the policy the user was ever issued. */
static int32
issued_count(Work *work, int64 user_id, int64 policy_id)
{
	Datum		prefix[] = {Int64GetDatum(user_id), Int64GetDatum(policy_id)};
	Row		   *last = row_last(work, TABLE_COUPONS, lengthof(issue_columns),
								issue_columns, lengthof(prefix), prefix);

	return last ? row_int32(last, COUPONS_ISSUE_NO) : 0;
}

static Row *
new_coupon(Work *work, const IssueTerms *terms, int64 user_id, int64 coupon_id,
		   int32 issue_no)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz expires_at = terms->expires_at;
	Row		   *coupon = row_new(work, TABLE_COUPONS);

	row_set_int64(coupon, COUPONS_COUPON_ID, coupon_id);
	row_set_int64(coupon, COUPONS_POLICY_ID, terms->policy_id);
	row_set_int64(coupon, COUPONS_USER_ID, user_id);
	row_set_enum(coupon, COUPONS_STATUS, COUPON_ISSUED);
	row_set(coupon, COUPONS_ISSUED_AT, TimestampTzGetDatum(now));
	if (!TIMESTAMP_IS_NOEND(expires_at))
		row_set(coupon, COUPONS_EXPIRES_AT, TimestampTzGetDatum(expires_at));
	row_set_int32(coupon, COUPONS_ISSUE_NO, issue_no);
	return coupon;
}

/* Is it certain, without a lock, that nothing is left of the quota? */
static bool
is_sold_out(Work *work, int64 policy_id)
{
	return !IsolationUsesXactSnapshot() &&
		counter_available(work, TABLE_COUPON_QUOTA_SLOTS, policy_id) == 0;
}

/*
 * Give the user the next coupon of the policy, as far as the limit goes. A
 * quota that is gone already refuses before anything is written.
 */
static Refusal *
insert_coupon(Work *work, const IssueTerms *terms, int64 user_id,
			  int64 coupon_id, Row **coupon)
{
	for (;;)
	{
		int32		issued = issued_count(work, user_id, terms->policy_id);

		if (issued >= terms->limit)
			return refuse_coupon_already_issued(user_id, terms->policy_id,
												terms->limit, issued);
		if (is_sold_out(work, terms->policy_id))
			return refuse_coupon_sold_out(terms->policy_id);

		*coupon = new_coupon(work, terms, user_id,
							 coupon_id ? coupon_id :
							 id_next(SEQUENCE_COUPON_ID, user_id),
							 issued + 1);
		if (row_insert_if_absent_by(*coupon, lengthof(issue_columns),
									issue_columns))
			return NULL;
		row_refresh(work);
	}
}

static Refusal *
issue_one(Work *work, int64 policy_id, const Idempotency *scope, Row **coupon)
{
	int64		coupon_id = 0;
	StringInfoData arguments;
	IssueTerms	terms;
	Refusal    *refusal;
	bool		replay;
	CounterHold hold;
	int64		available;

	if (scope->key)
		coupon_id = id_next(SEQUENCE_COUPON_ID, scope->user_id);
	initStringInfo(&arguments);
	appendStringInfo(&arguments, INT64_FORMAT, policy_id);
	refusal = idempotency_claim(work, scope, &arguments, &coupon_id, &replay);
	if (refusal)
		return refusal;
	if (replay)
	{
		*coupon = row_find(work, TABLE_COUPONS, Int64GetDatum(coupon_id));
		return *coupon ? NULL : refuse_coupon_not_found(coupon_id);
	}

	refusal = user_check(work, scope->user_id);
	if (refusal)
		return refusal;
	refusal = read_terms(work, policy_id, &terms);
	if (refusal)
		return refusal;
	refusal = insert_coupon(work, &terms, scope->user_id, coupon_id, coupon);
	if (refusal)
		return refusal;

	if (!counter_hold(work, TABLE_COUPON_QUOTA_SLOTS, policy_id, 1, &hold,
					  &available))
		return refuse_coupon_sold_out(policy_id);
	counter_take(&hold);
	return NULL;
}

static Entry issue_coupon_entry = {
	.arguments = {
		{"user_id", INT8OID},
		{"policy_id", INT8OID},
		{"idempotency_key", TEXTOID, true}
	},
	.row = "coupons"
};

/* Issue one coupon to a user: doc/flow-chart.md, 2. */
ENTRY_POINT(issue_coupon)
{
	Idempotency scope = {.function = "issue_coupon"};
	Work		work;
	Row		   *coupon = NULL;
	Datum		result;

	scope.user_id = PG_GETARG_INT64(0);
	scope.key = args_idempotency_key(fcinfo, 2);

	row_begin_write(&work, "issue_coupon()");
	refusal_check(issue_one(&work, PG_GETARG_INT64(1), &scope, &coupon));
	result = row_datum(coupon);
	row_end(&work);
	return result;
}

/* ---- many ---- */

typedef enum IssueOutcome
{
	ISSUED,
	USER_UNKNOWN,
	LIMIT_REACHED,
	QUOTA_GONE
} IssueOutcome;

/* One element of user_ids. */
typedef struct IssueTo
{
	int64		user_id;
	int			element;
	IssueOutcome outcome;
	int32		issued;			/* to the user, with the earlier elements */
	int64		coupon_id;
} IssueTo;

typedef struct IssueBatch
{
	IssueTerms	terms;
	IssueTo    *users;			/* as the array has them */
	IssueTo   **by_user;		/* ascending, each user's in array order */
	int			count;
} IssueBatch;

static int
compare_by_user(const void *a, const void *b)
{
	const IssueTo *x = *(IssueTo *const *) a;
	const IssueTo *y = *(IssueTo *const *) b;

	if (x->user_id != y->user_id)
		return id_compare(x->user_id, y->user_id);
	return x->element < y->element ? -1 : 1;
}

static void
read_users(ArrayType *array, IssueBatch *batch)
{
	Datum	   *ids;

	if (array_contains_nulls(array))
		args_invalid("user_ids", "have no element that is NULL");
	if (ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) >
		coupon_max_batch_users)
		args_invalid("user_ids",
					 psprintf("have at most %d elements, commerce.max_batch_users",
							  coupon_max_batch_users));
	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &ids, NULL, &batch->count);
	batch->users = palloc0(Max(batch->count, 1) * sizeof(IssueTo));
	batch->by_user = palloc(Max(batch->count, 1) * sizeof(IssueTo *));
	for (int i = 0; i < batch->count; i++)
	{
		batch->users[i].user_id = DatumGetInt64(ids[i]);
		batch->users[i].element = i;
		batch->by_user[i] = &batch->users[i];
	}
	pfree(ids);
	qsort(batch->by_user, batch->count, sizeof(IssueTo *), compare_by_user);
}

/* Does the user exist, and have less than the limit? */
static void
look_at_user(Work *work, const IssueTerms *terms, IssueTo *to,
			 const IssueTo *before)
{
	if (before != NULL && before->user_id == to->user_id)
	{
		to->outcome = before->outcome;
		to->issued = before->issued + (before->outcome == ISSUED);
	}
	else if (user_check(work, to->user_id) != NULL)
		to->outcome = USER_UNKNOWN;
	else
		to->issued = issued_count(work, to->user_id, terms->policy_id);
	if (to->outcome == ISSUED && to->issued >= terms->limit)
		to->outcome = LIMIT_REACHED;
}

/* Choose, in array order, as many as the quota seems to hold. */
static void
choose(IssueBatch *batch, int64 available)
{
	for (int i = 0; i < batch->count; i++)
	{
		IssueTo    *to = &batch->users[i];

		if (to->outcome != ISSUED)
			continue;
		if (available > 0)
		{
			available--;
			to->coupon_id = id_next(SEQUENCE_COUPON_ID, to->user_id);
		}
		else
			to->outcome = QUOTA_GONE;
	}
}

/* Insert the coupon unless the limit was reached meanwhile. */
static void
insert_for(Work *work, const IssueTerms *terms, IssueTo *to)
{
	for (;;)
	{
		Row		   *coupon = new_coupon(work, terms, to->user_id,
										to->coupon_id, to->issued + 1);

		if (row_insert_if_absent_by(coupon, lengthof(issue_columns),
									issue_columns))
			return;
		row_refresh(work);
		to->issued = issued_count(work, to->user_id, terms->policy_id);
		if (to->issued >= terms->limit)
		{
			to->outcome = LIMIT_REACHED;
			return;
		}
	}
}

/* Of the issued ones, the last of the array lose theirs. */
static void
take_back(Work *work, IssueBatch *batch, int64 too_many)
{
	for (int i = batch->count - 1; i >= 0 && too_many > 0; i--)
	{
		IssueTo    *to = &batch->users[i];

		if (to->outcome != ISSUED)
			continue;
		row_delete(row_lock(work, TABLE_COUPONS,
							Int64GetDatum(to->coupon_id)));
		to->outcome = QUOTA_GONE;
		too_many--;
	}
}

/* Take the quota of those that were inserted, as far as there is any. */
static void
take_quota(IssueBatch *batch)
{
	int64		wanted = 0;
	int64		held;
	CounterHold hold;
	Work		work;

	for (int i = 0; i < batch->count; i++)
		wanted += batch->users[i].outcome == ISSUED;
	if (wanted == 0)
		return;
	row_begin_write(&work, "issue_coupons()");
	held = counter_hold_most(&work, TABLE_COUPON_QUOTA_SLOTS,
							 batch->terms.policy_id, wanted, &hold);
	take_back(&work, batch, wanted - held);
	counter_take_less(&hold, held);
	row_end(&work);
}

/*
 * Whoever would have had the limit, had it not been sold out for the same user
 * before: it is sold out for this one too.
 */
static void
correct_limits(IssueBatch *batch)
{
	for (int i = 1; i < batch->count; i++)
	{
		IssueTo    *to = batch->by_user[i];
		IssueTo    *before = batch->by_user[i - 1];

		if (to->outcome == LIMIT_REACHED && before->outcome == QUOTA_GONE &&
			to->user_id == before->user_id)
			to->outcome = QUOTA_GONE;
	}
}

/* Do something for each user, ascending, so many at a time. */
static void
for_each_user(IssueBatch *batch, bool inserts)
{
	Work		work;

	for (int i = 0; i < batch->count; i++)
	{
		IssueTo    *to = batch->by_user[i];

		CHECK_FOR_INTERRUPTS();
		if (i % PART_USERS == 0)
			row_begin_write(&work, "issue_coupons()");
		if (!inserts)
			look_at_user(&work, &batch->terms, to,
						 i > 0 ? batch->by_user[i - 1] : NULL);
		else if (to->outcome == ISSUED)
			insert_for(&work, &batch->terms, to);
		if (i % PART_USERS == PART_USERS - 1 || i == batch->count - 1)
			row_end(&work);
	}
}

static Refusal *
refusal_of(const IssueTerms *terms, const IssueTo *to)
{
	switch (to->outcome)
	{
		case USER_UNKNOWN:
			return user_not_found(to->user_id);
		case LIMIT_REACHED:
			return refuse_coupon_already_issued(to->user_id, terms->policy_id,
												terms->limit, to->issued);
		case QUOTA_GONE:
			return refuse_coupon_sold_out(terms->policy_id);
		case ISSUED:
			break;
	}
	return NULL;
}

static void
return_users(const IssueBatch *batch, Answers *answers)
{
	MemoryContext row_context =
		AllocSetContextCreate(CurrentMemoryContext, "issue_coupons row",
							  ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(row_context);

	for (int i = 0; i < batch->count; i++)
	{
		const IssueTo *to = &batch->users[i];

		answers_add(answers, refusal_of(&batch->terms, to),
					Int64GetDatum(to->user_id), Int64GetDatum(to->coupon_id));
		MemoryContextReset(row_context);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(row_context);
}

static Entry issue_coupons_entry = {
	.arguments = {{"policy_id", INT8OID}, {"user_ids", INT8ARRAYOID}},
	.columns = {INT8OID, INT8OID, TEXTOID, TEXTOID, JSONBOID},
	.is_batch = true
};

/* Issue one coupon to each of many users: doc/reference.md, Coupons. */
ENTRY_POINT(issue_coupons)
{
	IssueBatch	batch = {.count = 0};
	Answers		answers;
	int64		policy_id;
	int64		available;
	Work		work;

	policy_id = PG_GETARG_INT64(0);
	read_users(PG_GETARG_ARRAYTYPE_P(1), &batch);
	answers_begin(&answers, fcinfo);

	row_begin_write(&work, "issue_coupons()");
	refusal_check(read_terms(&work, policy_id, &batch.terms));
	row_end(&work);

	/*
	 * Before the users are looked at: whoever got the last coupons meanwhile
	 * has reached the limit, which ranks before sold out.
	 */
	row_begin_write(&work, "issue_coupons()");
	available = IsolationUsesXactSnapshot() ? PG_INT64_MAX :
		counter_available(&work, TABLE_COUPON_QUOTA_SLOTS, policy_id);
	row_end(&work);
	for_each_user(&batch, false);
	choose(&batch, available);
	for_each_user(&batch, true);
	take_quota(&batch);
	correct_limits(&batch);
	return_users(&batch, &answers);
	answers_end(&answers, CALLS_issue_coupons);
	return (Datum) 0;
}
