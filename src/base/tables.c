/*
 * tables.c
 *		Which relation, column, sequence and enum label is which.
 *
 * What belongs to the schema's version is looked up by name, once: a column
 * may stand anywhere in its table, between others that a DBA added. Each must
 * have the type that it should have: a column that was renamed, dropped or
 * altered is an error, never a wrong value. What is newer than the schema is
 * not looked up at all: a DBA's object may bear its name.
 *
 * The answers are kept in one per-session cache. A relcache invalidation of any
 * of the relations empties it, so DROP and CREATE EXTENSION, ALTER TABLE and
 * a restore in the same session are all seen. ALTER EXTENSION UPDATE may add
 * only what is new: so, while something is missing, any relation's invalidation
 * empties the cache. So does, at any time, a change of any enum type, which is
 * rare and does not say which one: also when a label that was found is undone.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/tables.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define EXTENSION_NAME	"commerce"
#define SCHEMA_NAME		"commerce"

/* As tables.def has it. */
#define V(major, minor) SCHEMA_VERSION(major, minor)

/* That of a schema that bears no number: everything must be there. */
#define NEWEST_VERSION	PG_INT32_MAX

typedef struct OurColumn
{
	const char *name;
	Oid			type;			/* InvalidOid: the enum type enum_type */
	const char *enum_type;
	int			since;
} OurColumn;

typedef struct OurTable
{
	const char *name;
	int			key_count;
	bool		contested;
	int			since;
	const OurColumn *columns;	/* by ColumnId - 1 */
	int			column_count;
} OurTable;

#define TABLE(id, name, key_count, contested, since) \
	static const OurColumn id##_columns[] = {
#define COLUMN(id, name, type, since) {name, type, NULL, since},
#define ENUM_COLUMN(id, name, enum_type, since) \
	{name, InvalidOid, enum_type, since},
#define TABLE_END(id) }; \
	StaticAssertDecl(lengthof(id##_columns) <= MAX_COLUMNS, "MAX_COLUMNS");
#include "base/tables.def"

static const OurTable table_defs[TABLE_COUNT] = {
#define TABLE(id, name, key_count, contested, since) \
	{name, key_count, contested, since, id##_columns, lengthof(id##_columns)},
#include "base/tables.def"
};

static const struct
{
	const char *name;
	int			since;
}			sequence_defs[SEQUENCE_COUNT] = {
#define SEQUENCE(id, name, since) {name, since},
#include "base/tables.def"
};

static const struct
{
	const char *type;
	const char *label;
	int			since;
}			label_defs[ENUM_LABEL_COUNT] = {
#define LABEL(id, enum_type, label, since) {enum_type, label, since},
#include "base/tables.def"
};

/* What is newer than the schema is InvalidOid or InvalidAttrNumber here. */
typedef struct Found
{
	int			version;		/* the schema's */
	bool		is_incomplete;	/* something is newer than that */
	Oid			schema;
	Oid			owner;
	Oid			tables[TABLE_COUNT];
	AttrNumber	attnums[TABLE_COUNT][MAX_COLUMNS + 1];
	int			column_counts[TABLE_COUNT];
	Oid			sequences[SEQUENCE_COUNT];
	Oid			labels[ENUM_LABEL_COUNT];
} Found;

static Found found;
static bool found_is_valid = false;

/* Set by an invalidation that arrives while we look everything up. */
static bool is_invalidated = false;

const char *
table_name(TableId table)
{
	return table_defs[table].name;
}

const char *
table_column_name(TableId table, ColumnId column)
{
	return table_defs[table].columns[column - 1].name;
}

int
table_key_count(TableId table)
{
	return table_defs[table].key_count;
}

Oid
table_column_type(TableId table, ColumnId column)
{
	return table_defs[table].columns[column - 1].type;
}

bool
table_is_contested(TableId table)
{
	return table_defs[table].contested;
}

/* ---- invalidation ---- */

static void
forget_found(void)
{
	found_is_valid = false;
	is_invalidated = true;
}

static void
relation_changed(Datum arg, Oid relid)
{
	bool		ours = (relid == InvalidOid || found.is_incomplete);

	for (int i = 0; i < TABLE_COUNT && !ours; i++)
		ours = (found.tables[i] == relid);
	for (int i = 0; i < SEQUENCE_COUNT && !ours; i++)
		ours = (found.sequences[i] == relid);

	if (ours)
		forget_found();
	is_invalidated = true;
}

static void
label_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	forget_found();
}

/* ---- looking up ---- */

static void
complain(const char *object, const char *problem)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s.%s\" %s", SCHEMA_NAME, object, problem),
			 errhint("The objects of the extension commerce must be as its scripts made them.")));
}

/* Raise 55000: an object is newer than the schema. */
pg_noreturn static void
update_is_due(const char *object, int since)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("\"%s.%s\" comes with version %d.%d of the extension commerce, this database has %d.%d",
					SCHEMA_NAME, object, since / 1000, since % 1000,
					found.version / 1000, found.version % 1000),
			 errhint("Run ALTER EXTENSION commerce UPDATE.")));
}

/* The version in the text of pg_extension.extversion. */
static int
read_version(const char *text)
{
	int			major;
	int			minor;

	if (sscanf(text, "%d.%d", &major, &minor) != 2 ||
		major < 0 || major > 1000 || minor < 0 || minor > 999)
		return NEWEST_VERSION;
	return V(major, minor);
}

static int
find_version(void)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			version = NEWEST_VERSION;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(EXTENSION_NAME));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL,
							  1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										 RelationGetDescr(extensions), &isnull);

		if (!isnull)
			version = read_version(TextDatumGetCString(value));
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return version;
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

/* The column's number; proves its type. */
static AttrNumber
find_column(Oid schema, const OurTable *def, const OurColumn *column,
			Oid relid)
{
	Oid			type = column->type;
	AttrNumber	attnum = get_attnum(relid, column->name);

	if (!OidIsValid(type))
		type = find_type(schema, column->enum_type);
	if (attnum == InvalidAttrNumber || get_atttype(relid, attnum) != type)
		complain(psprintf("%s.%s", def->name, column->name),
				 "is not the column that the library expects");
	return attnum;
}

static void
find_table(Found *loaded, TableId table)
{
	const OurTable *def = &table_defs[table];
	Oid			relid = find_relation(loaded->schema, def->name);

	if (get_rel_relkind(relid) != RELKIND_RELATION ||
		get_rel_relispartition(relid))
		complain(def->name, "is not an ordinary table");

	loaded->tables[table] = relid;
	for (int i = 0; i < def->column_count; i++)
	{
		if (def->columns[i].since > loaded->version)
		{
			loaded->is_incomplete = true;
			continue;
		}
		loaded->attnums[table][i + 1] =
			find_column(loaded->schema, def, &def->columns[i], relid);
		loaded->column_counts[table]++;
	}
}

static Oid
find_label(Oid schema, EnumLabel label)
{
	Oid			type = find_type(schema, label_defs[label].type);
	Oid			oid = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
									  ObjectIdGetDatum(type),
									  CStringGetDatum(label_defs[label].label));

	if (!OidIsValid(oid))
		complain(label_defs[label].type,
				 psprintf("has no label \"%s\"", label_defs[label].label));
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
find_everything(void)
{
	Found		loaded = {0};

	is_invalidated = false;
	loaded.schema = get_namespace_oid(SCHEMA_NAME, false);
	loaded.version = find_version();
	for (int i = 0; i < TABLE_COUNT; i++)
	{
		if (table_defs[i].since > loaded.version)
			loaded.is_incomplete = true;
		else
			find_table(&loaded, i);
	}
	for (int i = 0; i < SEQUENCE_COUNT; i++)
	{
		if (sequence_defs[i].since > loaded.version)
			loaded.is_incomplete = true;
		else
			loaded.sequences[i] = find_relation(loaded.schema,
												sequence_defs[i].name);
	}
	for (int i = 0; i < ENUM_LABEL_COUNT; i++)
	{
		if (label_defs[i].since > loaded.version)
			loaded.is_incomplete = true;
		else
			loaded.labels[i] = find_label(loaded.schema, i);
	}
	loaded.owner = find_owner(loaded.tables[TABLE_ORDERS]);

	/* Looked up again next time if something changed meanwhile. */
	found = loaded;
	found_is_valid = !is_invalidated;
}

static inline const Found *
get_found(void)
{
	if (unlikely(!found_is_valid))
		find_everything();
	return &found;
}

/* ---- answers ---- */

Oid
table_oid(TableId table)
{
	Oid			relid = get_found()->tables[table];

	if (unlikely(!OidIsValid(relid)))
		update_is_due(table_defs[table].name, table_defs[table].since);
	return relid;
}

Oid
sequence_oid(SequenceId sequence)
{
	Oid			relid = get_found()->sequences[sequence];

	if (unlikely(!OidIsValid(relid)))
		update_is_due(sequence_defs[sequence].name,
					  sequence_defs[sequence].since);
	return relid;
}

Oid
enum_oid(EnumLabel label)
{
	Oid			oid = get_found()->labels[label];

	if (unlikely(!OidIsValid(oid)))
		update_is_due(psprintf("%s.%s", label_defs[label].type,
							   label_defs[label].label),
					  label_defs[label].since);
	return oid;
}

const AttrNumber *
table_attnums(TableId table)
{
	return get_found()->attnums[table];
}

int
table_column_count(TableId table)
{
	return get_found()->column_counts[table];
}

bool
table_exists(TableId table)
{
	return OidIsValid(get_found()->tables[table]);
}

bool
table_has_column(TableId table, ColumnId column)
{
	return get_found()->attnums[table][column] != InvalidAttrNumber;
}

bool
enum_has_label(EnumLabel label)
{
	return OidIsValid(get_found()->labels[label]);
}

void
table_lacks_column(TableId table, ColumnId column)
{
	const OurColumn *lacking = &table_defs[table].columns[column - 1];

	update_is_due(psprintf("%s.%s", table_defs[table].name, lacking->name),
				  lacking->since);
}

Oid
extension_schema(void)
{
	return get_found()->schema;
}

Oid
extension_owner(void)
{
	return get_found()->owner;
}

/*
 * How far one explicit id may move a sequence: enough for whoever brings users
 * along in the order of their ids, too little to use the ids up.
 */
#define SEQUENCE_REACH	10000

int64
sequence_next(SequenceId sequence)
{
	return nextval_internal(sequence_oid(sequence), false);
}

/*
 * The last value that the sequence has on disk, as its owner may ask for it.
 * With a CACHE above 1, sessions hold values up to this one in store.
 */
static int64
sequence_last(Oid relid)
{
	int64		last;

	LOCAL_FCINFO(fcinfo, 1);

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(relid);
	fcinfo->args[0].isnull = false;
	last = DatumGetInt64(pg_sequence_last_value(fcinfo));
	return fcinfo->isnull ? 0 : last;
}

int64
sequence_next_of_all(SequenceId sequence)
{
	Oid			relid = sequence_oid(sequence);
	Oid			user_id;
	int			security_context;
	int64		last;
	int64		next;

	GetUserIdAndSecContext(&user_id, &security_context);
	SetUserIdAndSecContext(extension_owner(),
						   security_context | SECURITY_LOCAL_USERID_CHANGE);
	last = sequence_last(relid);
	SetUserIdAndSecContext(user_id, security_context);
	do
		next = sequence_next(sequence);
	while (next <= last);
	return next;
}

/*
 * A caller that inserts a generated id takes another one when it exists, as it
 * may: two of these at once leave the sequence behind one of the two ids.
 */
void
sequence_pass(SequenceId sequence, int64 id)
{
	Oid			relid = sequence_oid(sequence);
	Oid			user_id;
	int			security_context;
	int64		last;

	GetUserIdAndSecContext(&user_id, &security_context);
	SetUserIdAndSecContext(extension_owner(),
						   security_context | SECURITY_LOCAL_USERID_CHANGE);
	last = sequence_last(relid);
	if (id > last && id - last <= SEQUENCE_REACH)
		DirectFunctionCall2(setval_oid, ObjectIdGetDatum(relid),
							Int64GetDatum(id));
	SetUserIdAndSecContext(user_id, security_context);
}

void
tables_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(ENUMOID, label_changed, (Datum) 0);
}
