/*
 * databases.c
 *		The databases of commerce.databases, which have a notifier.
 *
 * DROP DATABASE fails while anybody is connected. So whatever connects to a
 * database by itself first tries the lock that such commands take, and leaves
 * once it cannot be had.
 */
#include "postgres.h"

#include "catalog/pg_database.h"
#include "notify/databases.h"
#include "storage/lock.h"
#include "utils/varlena.h"

char	   *databases_setting;

/* The names in a value of the setting; false if it is no list. */
static bool
split_names(const char *value, List **names)
{
	return SplitIdentifierString(pstrdup(value), ',', names);
}

bool
databases_check(char **newval, void **extra, GucSource source)
{
	List	   *names;

	if (!split_names(*newval, &names))
	{
		GUC_check_errdetail("List syntax is invalid.");
		return false;
	}
	if (list_length(names) > DATABASES_MAX)
	{
		GUC_check_errdetail("There may be at most %d databases.",
							DATABASES_MAX);
		return false;
	}
	list_free(names);
	return true;
}

List *
databases_names(void)
{
	List	   *names;

	/* The check has seen that it is a list. */
	(void) split_names(databases_setting, &names);
	return names;
}

bool
databases_has(const char *name)
{
	ListCell   *cell;

	foreach(cell, databases_names())
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

bool
databases_try_lock(Oid database_id)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database_id, 0);
	return LockAcquire(&tag, RowExclusiveLock, false, true) !=
		LOCKACQUIRE_NOT_AVAIL;
}
