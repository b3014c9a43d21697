/*
 * sql.h
 *		Run a fixed SQL statement as the extension's owner.
 */
#ifndef COMMERCE_SQL_H
#define COMMERCE_SQL_H

#include "executor/spi.h"

#define SQL_MAX_ARGUMENTS 4

/* A statement whose plan is kept for the session. Every name is qualified. */
typedef struct SqlStatement
{
	const char *text;
	int			argument_count;
	Oid			argument_types[SQL_MAX_ARGUMENTS];
	SPIPlanPtr	plan;
} SqlStatement;

/* One call's run of statements. */
typedef struct SqlRun
{
	bool		reading;
	Oid			caller_id;
	int			caller_context;
} SqlRun;

/*
 * Begin and end a run of statements. The calling function must be declared
 * with SET search_path = pg_catalog, pg_temp. Writing raises 25006 in a
 * read-only transaction, naming function; reading uses the caller's snapshot.
 */
extern void sql_begin_read(SqlRun *run);
extern void sql_begin_write(SqlRun *run, const char *function);
extern void sql_end(SqlRun *run);

/* Run it; no argument may be NULL. The result is in SPI_tuptable. */
extern void sql_run(SqlRun *run, SqlStatement *statement, Datum *arguments);

/* Run it for the bigint in its only row. */
extern int64 sql_int64(SqlRun *run, SqlStatement *statement,
					   Datum *arguments);

/*
 * Run it, by itself, for the composite value in its first row; in the caller's
 * memory. False: there is no row.
 */
extern bool sql_row(const char *function, SqlStatement *statement,
					Datum *arguments, Datum *row);

#endif							/* COMMERCE_SQL_H */
