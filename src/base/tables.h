/*
 * tables.h
 *		Which relation, column, sequence and enum label is which.
 *
 * tables.def lists them. A column is asked for by its id, USERS_NAME for
 * users.name: a number of ours that counts from 1 in each table, and not where
 * the column stands in the table. table_attnums() tells that.
 *
 * The schema may be older than the library: what has come since is then not
 * there. Whoever needs it just asks for it, and it is an error that says which
 * update is due; whoever can do without asks table_has_column() and the like.
 */
#ifndef COMMERCE_TABLES_H
#define COMMERCE_TABLES_H

#include "access/attnum.h"
#include "base/compat.h"

/* Most columns that one of our tables has, and most of its primary key. */
#define MAX_COLUMNS	16
#define MAX_KEYS	3

/* A version of the schema as one number. */
#define SCHEMA_VERSION(major, minor) ((major) * 1000 + (minor))

typedef int ColumnId;

typedef enum TableId
{
#define TABLE(id, name, key_count, contested, since) TABLE_##id,
#include "base/tables.def"
	TABLE_COUNT
} TableId;

/* The columns of each table, between two ends: USERS_BEGIN, USERS_USER_ID... */
#define TABLE(id, name, key_count, contested, since) enum { id##_BEGIN,
#define COLUMN(id, name, type, since) id,
#define ENUM_COLUMN(id, name, enum_type, since) id,
#define TABLE_END(id) id##_END };
#include "base/tables.def"

typedef enum SequenceId
{
#define SEQUENCE(id, name, since) SEQUENCE_##id,
#include "base/tables.def"
	SEQUENCE_COUNT
} SequenceId;

/* The enum labels that C code writes or tells apart. */
typedef enum EnumLabel
{
#define LABEL(id, enum_type, label, since) id,
#include "base/tables.def"
	ENUM_LABEL_COUNT
} EnumLabel;

/* stock_slots and coupon_quota_slots are alike. */
enum
{
	SLOTS_ID = STOCK_SLOTS_OPTION_ID,
	SLOTS_SLOT = STOCK_SLOTS_SLOT,
	SLOTS_LEVEL = STOCK_SLOTS_LEVEL,
	SLOTS_QUANTITY = STOCK_SLOTS_QUANTITY
};

/* ---- what does not depend on the database ---- */

/* The table's name, for messages. */
extern const char *table_name(TableId table);
extern const char *table_column_name(TableId table, ColumnId column);

/* How many columns its primary key has: those with the first ids. */
extern int	table_key_count(TableId table);

/* The type of a column that is of no enum type. */
extern Oid	table_column_type(TableId table, ColumnId column);

/* Is row_insert_if_absent() used on it? */
extern bool table_is_contested(TableId table);

/* ---- what does ---- */

/*
 * OIDs and column numbers, looked up when first asked for and again after any
 * change of these relations. They raise 55000 when the extension's objects are
 * not as its scripts made them, or, with the hint to update, when what is asked
 * for is newer than the schema.
 */
extern Oid	table_oid(TableId table);
extern Oid	sequence_oid(SequenceId sequence);
extern Oid	enum_oid(EnumLabel label);

/*
 * Where the table's columns stand, by ColumnId; InvalidAttrNumber for what is
 * newer than the schema. Good as long as the table is open.
 */
extern const AttrNumber *table_attnums(TableId table);

/* How many columns of the table are ours. */
extern int	table_column_count(TableId table);

/* Does the schema have it? */
extern bool table_exists(TableId table);
extern bool table_has_column(TableId table, ColumnId column);
extern bool enum_has_label(EnumLabel label);

/* Raise 55000: the column is newer than the schema. */
pg_noreturn extern void table_lacks_column(TableId table, ColumnId column);

/* The schema that has our objects. */
extern Oid	extension_schema(void);

/* The role that owns the tables: SQL from C runs as this one. */
extern Oid	extension_owner(void);

/* The next value of a sequence, whoever is asking. */
extern int64 sequence_next(SequenceId sequence);

/* One above all that anybody was given so far, be there a CACHE. */
extern int64 sequence_next_of_all(SequenceId sequence);

/* Move a sequence past an id that was given explicitly. */
extern void sequence_pass(SequenceId sequence, int64 id);

/* Called once, by _PG_init. */
extern void tables_init(void);

#endif							/* COMMERCE_TABLES_H */
