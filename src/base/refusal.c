/*
 * refusal.c
 *		Refusals: values until the SQL boundary.
 *
 * The message is for people, the DETAIL for programs: one JSON object.
 */
#include "postgres.h"

#include "base/printable.h"
#include "base/refusal.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"

/* The kinds of values, as refusals.def has them. */
typedef enum ValueKind
{
	KIND_none,
	KIND_number,
	KIND_optional,
	KIND_text,
	KIND_instant,
	KIND_options,
	KIND_said,
	KIND_counted
} ValueKind;

typedef struct RefusalDef
{
	const char *sqlstate;
	const char *message;
	struct
	{
		ValueKind	kind;
		const char *key;
	}			values[REFUSAL_MAX_VALUES];
} RefusalDef;

static const RefusalDef refusal_defs[REFUSAL_COUNT] = {
#define REFUSAL1(code, name, sqlstate, message, k1, v1) \
	{sqlstate, message, {{KIND_##k1, #v1}}},
#define REFUSAL2(code, name, sqlstate, message, k1, v1, k2, v2) \
	{sqlstate, message, {{KIND_##k1, #v1}, {KIND_##k2, #v2}}},
#define REFUSAL3(code, name, sqlstate, message, k1, v1, k2, v2, k3, v3) \
	{sqlstate, message, {{KIND_##k1, #v1}, {KIND_##k2, #v2}, \
						 {KIND_##k3, #v3}}},
#define REFUSAL4(code, name, sqlstate, message, \
				 k1, v1, k2, v2, k3, v3, k4, v4) \
	{sqlstate, message, {{KIND_##k1, #v1}, {KIND_##k2, #v2}, \
						 {KIND_##k3, #v3}, {KIND_##k4, #v4}}},
#include "base/refusals.def"
#undef REFUSAL1
#undef REFUSAL2
#undef REFUSAL3
#undef REFUSAL4
};

/* ---- making one ---- */

#define number_datum(value)		Int64GetDatum(value)
#define optional_datum(value)	Int64GetDatum(value)
#define text_datum(value)		CStringGetDatum(value)
#define instant_datum(value)	TimestampTzGetDatum(value)
#define options_datum(value)	PointerGetDatum(value)
#define said_datum(value)		CStringGetDatum(value)
#define counted_datum(value)	Int64GetDatum(value)

static Refusal *
new_refusal(RefusalCode code, Datum v1, Datum v2, Datum v3, Datum v4)
{
	Refusal    *refusal = palloc(sizeof(Refusal));

	refusal->code = code;
	refusal->values[0] = v1;
	refusal->values[1] = v2;
	refusal->values[2] = v3;
	refusal->values[3] = v4;
	return refusal;
}

#define REFUSAL1(code, name, sqlstate, message, k1, v1) \
Refusal * \
refuse_##name(RefusalValue_##k1 v1) \
{ \
	return new_refusal(REFUSAL_##code, k1##_datum(v1), 0, 0, 0); \
}
#define REFUSAL2(code, name, sqlstate, message, k1, v1, k2, v2) \
Refusal * \
refuse_##name(RefusalValue_##k1 v1, RefusalValue_##k2 v2) \
{ \
	return new_refusal(REFUSAL_##code, k1##_datum(v1), k2##_datum(v2), 0, 0); \
}
#define REFUSAL3(code, name, sqlstate, message, k1, v1, k2, v2, k3, v3) \
Refusal * \
refuse_##name(RefusalValue_##k1 v1, RefusalValue_##k2 v2, \
			  RefusalValue_##k3 v3) \
{ \
	return new_refusal(REFUSAL_##code, k1##_datum(v1), k2##_datum(v2), \
					   k3##_datum(v3), 0); \
}
#define REFUSAL4(code, name, sqlstate, message, \
				 k1, v1, k2, v2, k3, v3, k4, v4) \
Refusal * \
refuse_##name(RefusalValue_##k1 v1, RefusalValue_##k2 v2, \
			  RefusalValue_##k3 v3, RefusalValue_##k4 v4) \
{ \
	return new_refusal(REFUSAL_##code, k1##_datum(v1), k2##_datum(v2), \
					   k3##_datum(v3), k4##_datum(v4)); \
}
#include "base/refusals.def"
#undef REFUSAL1
#undef REFUSAL2
#undef REFUSAL3
#undef REFUSAL4

void
refusal_add_option(RefusalOptions **options, int room, int64 option_id,
				   uint64 requested, int64 available)
{
	RefusalOption *option;

	if (*options == NULL)
	{
		*options = palloc(sizeof(RefusalOptions));
		(*options)->count = 0;
		(*options)->options = palloc(room * sizeof(RefusalOption));
	}
	Assert((*options)->count < room);
	option = &(*options)->options[(*options)->count++];
	option->option_id = option_id;
	option->requested = requested;
	option->available = available;
}

/* ---- the message ---- */

/* Up to 2^63, the opposite of the lowest bigint, which is none. */
static void
append_unsigned(StringInfo text, uint64 number)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(text, digits, pg_ulltoa_n(number, digits));
}

static void
append_number(StringInfo text, int64 number)
{
	char		digits[MAXINT8LEN + 1];

	appendBinaryStringInfo(text, digits, pg_lltoa(number, digits));
}

/* ISO 8601 in UTC, whatever the session's settings. */
static char *
instant_text(Datum value)
{
	char	   *buffer = palloc(MAXDATELEN + 1);
	int			utc = 0;

	JsonEncodeDateTime(buffer, value, TIMESTAMPTZOID, &utc);
	return buffer;
}

static const RefusalOptions *
options_of(Datum value)
{
	return (const RefusalOptions *) DatumGetPointer(value);
}

static void
append_value(StringInfo message, ValueKind kind, Datum value)
{
	switch (kind)
	{
		case KIND_number:
		case KIND_optional:
		case KIND_counted:
			append_number(message, DatumGetInt64(value));
			break;
		case KIND_text:
		case KIND_said:
			appendStringInfoString(message, DatumGetCString(value));
			break;
		case KIND_instant:
			appendStringInfoString(message, instant_text(value));
			break;
		case KIND_options:
			append_number(message, options_of(value)->options[0].option_id);
			break;
		case KIND_none:
			break;
	}
}

/* Append the value whose key begins here; returns its length. */
static int
append_value_of(StringInfo message, const Refusal *refusal, const char *key)
{
	const RefusalDef *def = &refusal_defs[refusal->code];
	int			length = strcspn(key, "}");

	for (int i = 0; i < REFUSAL_MAX_VALUES; i++)
		if (def->values[i].kind != KIND_none &&
			strncmp(def->values[i].key, key, length) == 0 &&
			def->values[i].key[length] == '\0')
			append_value(message, def->values[i].kind, refusal->values[i]);
	return length;
}

const char *
refusal_message(const Refusal *refusal)
{
	const char *at = refusal_defs[refusal->code].message;
	StringInfoData message;

	initStringInfo(&message);
	while (*at != '\0')
	{
		int			literal = strcspn(at, "{");

		appendBinaryStringInfo(&message, at, literal);
		at += literal;
		if (*at == '{')
			at += append_value_of(&message, refusal, at + 1) + 2;
	}
	return printable(message.data);
}

/* ---- the DETAIL ---- */

/* Does the DETAIL have it? */
static bool
is_in_detail(ValueKind kind, Datum value)
{
	switch (kind)
	{
		case KIND_none:
		case KIND_said:
		case KIND_counted:
			return false;
		case KIND_optional:
			return DatumGetInt64(value) != 0;
		default:
			return true;
	}
}

static void
append_options(StringInfo detail, const RefusalOptions *options)
{
	for (int i = 0; i < options->count; i++)
	{
		const RefusalOption *option = &options->options[i];

		appendStringInfoString(detail, i == 0 ? "[{\"available\": " :
							   ", {\"available\": ");
		append_number(detail, option->available);
		appendStringInfoString(detail, ", \"option_id\": ");
		append_number(detail, option->option_id);
		appendStringInfoString(detail, ", \"requested\": ");
		append_unsigned(detail, option->requested);
		appendStringInfoChar(detail, '}');
	}
	appendStringInfoChar(detail, ']');
}

static void
append_json(StringInfo detail, ValueKind kind, Datum value)
{
	switch (kind)
	{
		case KIND_number:
		case KIND_optional:
			append_number(detail, DatumGetInt64(value));
			break;
		case KIND_text:
			escape_json(detail, DatumGetCString(value));
			break;
		case KIND_instant:
			escape_json(detail, instant_text(value));
			break;
		case KIND_options:
			append_options(detail, options_of(value));
			break;
		case KIND_said:
		case KIND_counted:
		case KIND_none:
			break;
	}
}

/* The order in which jsonb has keys. */
static bool
is_key_before(const char *key, const char *other)
{
	size_t		length = strlen(key);
	size_t		other_length = strlen(other);

	return length != other_length ? length < other_length :
		strcmp(key, other) < 0;
}

/* Which values are in the DETAIL, by their keys; returns how many. */
static int
values_of_detail(const Refusal *refusal, int *values)
{
	const RefusalDef *def = &refusal_defs[refusal->code];
	int			count = 0;

	for (int i = 0; i < REFUSAL_MAX_VALUES; i++)
	{
		int			place = count;

		if (!is_in_detail(def->values[i].kind, refusal->values[i]))
			continue;
		for (; place > 0 && is_key_before(def->values[i].key,
										  def->values[values[place - 1]].key);
			 place--)
			values[place] = values[place - 1];
		values[place] = i;
		count++;
	}
	return count;
}

const char *
refusal_detail(const Refusal *refusal)
{
	const RefusalDef *def = &refusal_defs[refusal->code];
	int			values[REFUSAL_MAX_VALUES];
	int			count = values_of_detail(refusal, values);
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfoChar(&detail, '{');
	for (int i = 0; i < count; i++)
	{
		appendStringInfoString(&detail, i == 0 ? "\"" : ", \"");
		appendStringInfoString(&detail, def->values[values[i]].key);
		appendStringInfoString(&detail, "\": ");
		append_json(&detail, def->values[values[i]].kind,
					refusal->values[values[i]]);
	}
	appendStringInfoChar(&detail, '}');
	return detail.data;
}

/* ---- a copy ---- */

static RefusalOptions *
copy_options(const RefusalOptions *options)
{
	RefusalOptions *copy = NULL;

	for (int i = 0; i < options->count; i++)
	{
		const RefusalOption *option = &options->options[i];

		refusal_add_option(&copy, options->count, option->option_id,
						   option->requested, option->available);
	}
	return copy;
}

Refusal *
refusal_copy(const Refusal *refusal)
{
	const RefusalDef *def = &refusal_defs[refusal->code];
	Refusal    *copy = palloc(sizeof(Refusal));

	*copy = *refusal;
	for (int i = 0; i < REFUSAL_MAX_VALUES; i++)
	{
		Datum		value = refusal->values[i];

		switch (def->values[i].kind)
		{
			case KIND_text:
			case KIND_said:
				copy->values[i] =
					CStringGetDatum(pstrdup(DatumGetCString(value)));
				break;
			case KIND_options:
				copy->values[i] =
					PointerGetDatum(copy_options(options_of(value)));
				break;
			case KIND_number:
			case KIND_optional:
			case KIND_instant:
			case KIND_counted:
			case KIND_none:
				break;
		}
	}
	return copy;
}

/* ---- the SQL boundary ---- */

const char *
refusal_sqlstate(const Refusal *refusal)
{
	return refusal_defs[refusal->code].sqlstate;
}

int
refusal_errcode(RefusalCode code)
{
	const char *sqlstate = refusal_defs[code].sqlstate;

	return MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3],
						 sqlstate[4]);
}

void
refusal_raise(const Refusal *refusal)
{
	ereport(ERROR,
			(errcode(refusal_errcode(refusal->code)),
			 errmsg_internal("%s", refusal_message(refusal)),
	/* An escape is the same to whoever parses the JSON. */
			 errdetail_internal("%s", printable(refusal_detail(refusal)))));
}

void
refusal_raise_texts(const char *sqlstate, const char *message,
					const char *detail, const char *hint)
{
	if (strlen(sqlstate) != 5)
		elog(ERROR, "unexpected SQLSTATE");
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2],
								   sqlstate[3], sqlstate[4])),
			 errmsg_internal("%s", message),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0));
}

/* ---- the server's log ---- */

bool		refusal_is_logged;

static emit_log_hook_type previous_log_hook;

/*
 * A refusal is an answer, and of most calls in a rush; the log is for
 * incidents. It is known by where it was raised, so that an error of somebody
 * else's with the same SQLSTATE is logged.
 */
static void
keep_from_log(ErrorData *error)
{
	if (!refusal_is_logged && error->elevel == ERROR &&
		error->funcname != NULL &&
		(strcmp(error->funcname, "refusal_raise") == 0 ||
		 strcmp(error->funcname, "refusal_raise_texts") == 0))
		error->output_to_server = false;
	if (previous_log_hook)
		previous_log_hook(error);
}

void
refusal_init(void)
{
	previous_log_hook = emit_log_hook;
	emit_log_hook = keep_from_log;
}
