/*
 * actor.c
 *		Who did it: a name that is written with what is done.
 *
 * It is what the session says of itself. Whoever may not be trusted with that
 * must have a role of their own, and no setting of it.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "shop/actor.h"
#include "utils/builtins.h"

bool		actor_is_recorded;
char	   *actor_setting;

void
actor_set(Row *row, ColumnId column)
{
	const char *name = actor_setting;

	if (!actor_is_recorded)
		return;
	if (name[0] == '\0')
		name = GetUserNameFromId(GetSessionUserId(), true);
	if (name == NULL)			/* dropped */
		return;
	/* A configuration file may hold any bytes. */
	pg_verifymbstr(name, strlen(name), false);
	row_set(row, column, CStringGetTextDatum(name));
}
