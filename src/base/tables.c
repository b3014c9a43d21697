/*
 * tables.c
 *		Which relation, column, sequence and enum value is which.
 *
 * Columns are known by position, and looking a table up proves that each
 * stands where it should with the type it should have: a renamed or dropped
 * column is an error, never a wrong value. Columns that somebody added behind
 * ours are no concern of this file (row.c fills them with their defaults).
 *
 * The OIDs are kept in one per-session cache. A relcache invalidation of any
 * of the relations empties it, so DROP and CREATE EXTENSION, ALTER TABLE and
 * a restore in the same session are all seen.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/tables.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define SCHEMA_NAME "commerce"
#define MAX_COLUMNS 14

typedef struct OurColumn
{
	const char *name;
	Oid			type;			/* InvalidOid: the enum type enum_type */
	const char *enum_type;
} OurColumn;

typedef struct OurTable
{
	const char *name;
	int			key_count;
	OurColumn	columns[MAX_COLUMNS];
} OurTable;

static const OurTable table_defs[TABLE_COUNT] = {
	[TABLE_USERS] = {"users", 1, {
		{"user_id", INT8OID}, {"name", TEXTOID},
		{"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_BALANCES] = {"balances", 1, {
		{"user_id", INT8OID}, {"balance", INT8OID}, {"entry_count", INT8OID},
		{"updated_at", TIMESTAMPTZOID},
	}},
	[TABLE_BALANCE_HISTORY] = {"balance_history", 2, {
		{"user_id", INT8OID}, {"entry_no", INT8OID},
		{"type", InvalidOid, "balance_entry_type"}, {"amount", INT8OID},
		{"balance_after", INT8OID}, {"order_id", INT8OID},
		{"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_COUPON_POLICIES] = {"coupon_policies", 1, {
		{"policy_id", INT8OID}, {"name", TEXTOID},
		{"discount_type", InvalidOid, "discount_type"},
		{"discount_value", INT8OID}, {"max_discount_amount", INT8OID},
		{"min_order_amount", INT8OID}, {"quantity", INT8OID},
		{"per_user_limit", INT4OID}, {"issue_from", TIMESTAMPTZOID},
		{"issue_until", TIMESTAMPTZOID}, {"valid_for", INTERVALOID},
		{"valid_until", TIMESTAMPTZOID}, {"restore_on_cancel", BOOLOID},
		{"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_COUPON_QUOTA_SLOTS] = {"coupon_quota_slots", 2, {
		{"policy_id", INT8OID}, {"slot", INT4OID}, {"level", INT4OID},
		{"quantity", INT8OID},
	}},
	[TABLE_COUPONS] = {"coupons", 1, {
		{"coupon_id", INT8OID}, {"policy_id", INT8OID}, {"user_id", INT8OID},
		{"status", InvalidOid, "coupon_status"},
		{"issued_at", TIMESTAMPTZOID}, {"expires_at", TIMESTAMPTZOID},
		{"used_at", TIMESTAMPTZOID}, {"order_id", INT8OID},
		{"discount_amount", INT8OID}, {"issue_no", INT4OID},
	}},
	[TABLE_PRODUCTS] = {"products", 1, {
		{"product_id", INT8OID}, {"name", TEXTOID},
		{"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_PRODUCT_OPTIONS] = {"product_options", 1, {
		{"option_id", INT8OID}, {"product_id", INT8OID}, {"name", TEXTOID},
		{"price", INT8OID}, {"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_STOCK_SLOTS] = {"stock_slots", 2, {
		{"option_id", INT8OID}, {"slot", INT4OID}, {"level", INT4OID},
		{"quantity", INT8OID},
	}},
	[TABLE_STOCK_ADJUSTMENTS] = {"stock_adjustments", 1, {
		{"adjustment_id", INT8OID}, {"option_id", INT8OID},
		{"quantity", INT8OID}, {"reason", TEXTOID},
		{"created_at", TIMESTAMPTZOID},
	}},
	[TABLE_ORDERS] = {"orders", 1, {
		{"order_id", INT8OID}, {"user_id", INT8OID},
		{"status", InvalidOid, "order_status"}, {"subtotal", INT8OID},
		{"discount", INT8OID}, {"total", INT8OID}, {"refunded", INT8OID},
		{"coupon_id", INT8OID}, {"placed_at", TIMESTAMPTZOID},
		{"paid_at", TIMESTAMPTZOID}, {"closed_at", TIMESTAMPTZOID},
		{"expires_at", TIMESTAMPTZOID}, {"cancel_reason", TEXTOID},
	}},
	[TABLE_ORDER_ITEMS] = {"order_items", 2, {
		{"order_id", INT8OID}, {"line_no", INT4OID}, {"option_id", INT8OID},
		{"product_id", INT8OID}, {"quantity", INT8OID},
		{"unit_price", INT8OID}, {"discount_amount", INT8OID},
		{"refunded_quantity", INT8OID},
	}},
	[TABLE_OUTBOX] = {"outbox", 1, {
		{"event_id", INT8OID}, {"event_type", TEXTOID}, {"order_id", INT8OID},
		{"status", InvalidOid, "event_status"}, {"attempt", INT4OID},
		{"max_attempts", INT4OID}, {"next_attempt_at", TIMESTAMPTZOID},
		{"locked_until", TIMESTAMPTZOID}, {"last_error", TEXTOID},
		{"created_at", TIMESTAMPTZOID}, {"delivered_at", TIMESTAMPTZOID},
		{"refund", JSONBOID},
	}},
	[TABLE_IDEMPOTENCY_KEYS] = {"idempotency_keys", 3, {
		{"user_id", INT8OID}, {"function_name", TEXTOID},
		{"idempotency_key", TEXTOID}, {"arguments_digest", BYTEAOID},
		{"object_id", INT8OID}, {"created_at", TIMESTAMPTZOID},
	}},
};

static const char *const sequence_names[SEQUENCE_COUNT] = {
	[SEQUENCE_USER_ID] = "user_id_seq",
	[SEQUENCE_PRODUCT_ID] = "product_id_seq",
	[SEQUENCE_OPTION_ID] = "option_id_seq",
	[SEQUENCE_POLICY_ID] = "policy_id_seq",
	[SEQUENCE_COUPON_ID] = "coupon_id_seq",
	[SEQUENCE_ADJUSTMENT_ID] = "adjustment_id_seq",
	[SEQUENCE_ORDER_ID] = "order_id_seq",
	[SEQUENCE_EVENT_ID] = "event_id_seq",
};

static const struct
{
	const char *type;
	const char *label;
}			enum_labels[ENUM_LABEL_COUNT] = {
	[ENTRY_CHARGE] = {"balance_entry_type", "charge"},
	[ENTRY_USE] = {"balance_entry_type", "use"},
	[ENTRY_PAYMENT] = {"balance_entry_type", "payment"},
	[ENTRY_REFUND] = {"balance_entry_type", "refund"},
	[DISCOUNT_FIXED] = {"discount_type", "fixed"},
	[DISCOUNT_PERCENT] = {"discount_type", "percent"},
	[COUPON_ISSUED] = {"coupon_status", "issued"},
	[COUPON_USED] = {"coupon_status", "used"},
	[COUPON_IS_REVOKED] = {"coupon_status", "revoked"},
	[ORDER_PENDING] = {"order_status", "pending"},
	[ORDER_PAID] = {"order_status", "paid"},
	[ORDER_PARTIALLY_REFUNDED] = {"order_status", "partially_refunded"},
	[ORDER_REFUNDED] = {"order_status", "refunded"},
	[ORDER_CANCELLED] = {"order_status", "cancelled"},
	[ORDER_IS_EXPIRED] = {"order_status", "expired"},
	[EVENT_AVAILABLE] = {"event_status", "available"},
	[EVENT_RUNNING] = {"event_status", "running"},
	[EVENT_DELIVERED] = {"event_status", "delivered"},
	[EVENT_DEAD] = {"event_status", "dead"},
	[EVENT_DISCARDED] = {"event_status", "discarded"},
};

typedef struct Oids
{
	Oid			owner;
	Oid			tables[TABLE_COUNT];
	Oid			sequences[SEQUENCE_COUNT];
	Oid			enums[ENUM_LABEL_COUNT];
} Oids;

static Oids oids;
static bool oids_valid = false;

/* Set by an invalidation that arrives while we look the OIDs up. */
static bool oids_invalidated = false;

const char *
table_name(TableId table)
{
	return table_defs[table].name;
}

int
table_column_count(TableId table)
{
	int			count = 0;

	while (count < MAX_COLUMNS && table_defs[table].columns[count].name)
		count++;
	return count;
}

int
table_key_count(TableId table)
{
	return table_defs[table].key_count;
}

Oid
table_column_type(TableId table, AttrNumber column)
{
	return table_defs[table].columns[column - 1].type;
}

static void
invalidate(Datum arg, Oid relid)
{
	bool		ours = (relid == InvalidOid);

	for (int i = 0; i < TABLE_COUNT && !ours; i++)
		ours = (oids.tables[i] == relid);
	for (int i = 0; i < SEQUENCE_COUNT && !ours; i++)
		ours = (oids.sequences[i] == relid);

	if (ours)
		oids_valid = false;
	oids_invalidated = true;
}

static void
complain(const char *object, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s.%s\" %s", SCHEMA_NAME, object, problem),
			 errhint("The objects of the extension commerce must be as its scripts made them.")));
}

static Oid
find_relation(Oid schema, const char *name)
{
	Oid			relid = get_relname_relid(name, schema);

	if (!OidIsValid(relid))
		complain(name, "does not exist");
	return relid;
}

static Oid
find_type(Oid schema, const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(schema));

	if (!OidIsValid(type))
		complain(name, "does not exist");
	return type;
}

/* Prove that each column stands where the C code will look for it. */
static void
check_columns(Oid schema, TableId table, Oid relid)
{
	const OurTable *def = &table_defs[table];

	if (get_rel_relkind(relid) != RELKIND_RELATION ||
		get_rel_relispartition(relid))
		complain(def->name, "is not an ordinary table");

	for (int i = 0; i < table_column_count(table); i++)
	{
		const OurColumn *column = &def->columns[i];
		Oid			expected = column->type;
		HeapTuple	tuple;
		bool		fits = false;

		if (!OidIsValid(expected))
			expected = find_type(schema, column->enum_type);

		tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid),
								Int16GetDatum(i + 1));
		if (HeapTupleIsValid(tuple))
		{
			Form_pg_attribute att = (Form_pg_attribute) GETSTRUCT(tuple);

			fits = !att->attisdropped && att->atttypid == expected &&
				strcmp(NameStr(att->attname), column->name) == 0;
			ReleaseSysCache(tuple);
		}
		if (!fits)
			complain(psprintf("%s.%s", def->name, column->name),
					 "is not the column that the library expects");
	}
}

static Oid
find_enum(Oid schema, EnumLabel label)
{
	Oid			type = find_type(schema, enum_labels[label].type);
	Oid			oid = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
									  ObjectIdGetDatum(type),
									  CStringGetDatum(enum_labels[label].label));

	if (!OidIsValid(oid))
		complain(enum_labels[label].type,
				 psprintf("has no label \"%s\"", enum_labels[label].label));
	return oid;
}

static Oid
find_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		complain(table_defs[TABLE_ORDERS].name, "does not exist");
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

static void
load_oids(void)
{
	Oids		loaded;
	Oid			schema = get_namespace_oid(SCHEMA_NAME, false);

	oids_invalidated = false;
	for (int i = 0; i < TABLE_COUNT; i++)
	{
		loaded.tables[i] = find_relation(schema, table_defs[i].name);
		check_columns(schema, i, loaded.tables[i]);
	}
	for (int i = 0; i < SEQUENCE_COUNT; i++)
		loaded.sequences[i] = find_relation(schema, sequence_names[i]);
	for (int i = 0; i < ENUM_LABEL_COUNT; i++)
		loaded.enums[i] = find_enum(schema, i);
	loaded.owner = find_owner(loaded.tables[TABLE_ORDERS]);

	/* Looked up again next time if something changed meanwhile. */
	oids = loaded;
	oids_valid = !oids_invalidated;
}

static inline const Oids *
get_oids(void)
{
	if (unlikely(!oids_valid))
		load_oids();
	return &oids;
}

Oid
table_oid(TableId table)
{
	return get_oids()->tables[table];
}

Oid
sequence_oid(SequenceId sequence)
{
	return get_oids()->sequences[sequence];
}

Oid
enum_oid(EnumLabel label)
{
	return get_oids()->enums[label];
}

Oid
extension_owner(void)
{
	return get_oids()->owner;
}

int64
sequence_next(SequenceId sequence)
{
	return nextval_internal(sequence_oid(sequence), false);
}

/*
 * Two of these at once may leave the sequence behind one of the two ids:
 * whoever inserts a generated id therefore takes another one when it exists.
 */
void
sequence_pass(SequenceId sequence, int64 id)
{
	Oid			relid = sequence_oid(sequence);
	Oid			user_id;
	int			security_context;
	LOCAL_FCINFO(fcinfo, 1);
	int64		last;

	/* An id this large would leave nothing to generate. */
	if (id > PG_INT64_MAX / 2)
		return;

	GetUserIdAndSecContext(&user_id, &security_context);
	SetUserIdAndSecContext(extension_owner(),
						   security_context | SECURITY_LOCAL_USERID_CHANGE);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(relid);
	fcinfo->args[0].isnull = false;
	last = DatumGetInt64(pg_sequence_last_value(fcinfo));
	if (id > (fcinfo->isnull ? 0 : last))
		DirectFunctionCall2(setval_oid, ObjectIdGetDatum(relid),
							Int64GetDatum(id));

	SetUserIdAndSecContext(user_id, security_context);
}

void
tables_init(void)
{
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}
