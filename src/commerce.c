/*
 * commerce.c
 *		Module magic, settings.
 */
#include "commerce.h"

#include "counter.h"
#include "launcher.h"
#include "notifier.h"
#include "row_target.h"
#include "tables.h"
#include "utils/builtins.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

#define DEFAULT_MAX_CHARGE_AMOUNT	"1000000000000"
#define DEFAULT_MAX_ORDER_LINES		1000
#define LIMIT_MAX_ORDER_LINES		100000

int64		commerce_max_charge_amount;
int			commerce_max_order_lines = DEFAULT_MAX_ORDER_LINES;

static char *max_charge_amount_text;

void		_PG_init(void);

/*
 * The server has no 64-bit integer settings, and a real one would be shown as
 * 1e+12: so the amount is a string that must hold a positive bigint.
 */
static bool
check_max_charge_amount(char **newval, void **extra, GucSource source)
{
	char	   *end;
	long long	amount;
	int64	   *parsed;

	errno = 0;
	amount = strtoll(*newval, &end, 10);
	while (isspace((unsigned char) *end))
		end++;
	if (end == *newval || *end != '\0' || errno != 0 || amount < 1)
	{
		GUC_check_errdetail("The value must be an integer from 1 to 9223372036854775807.");
		return false;
	}

	parsed = compat_guc_malloc(sizeof(int64));
	if (parsed == NULL)
		return false;
	*parsed = amount;
	*extra = parsed;
	return true;
}

static void
assign_max_charge_amount(const char *newval, void *extra)
{
	commerce_max_charge_amount = *(int64 *) extra;
}

void
_PG_init(void)
{
	DefineCustomStringVariable("commerce.max_charge_amount",
							   "Most that one charge may add, in minor currency units.",
							   NULL, &max_charge_amount_text,
							   DEFAULT_MAX_CHARGE_AMOUNT, PGC_SUSET, 0,
							   check_max_charge_amount,
							   assign_max_charge_amount, NULL);
	DefineCustomIntVariable("commerce.max_order_lines",
							"Most elements that the items of an order may have.",
							NULL, &commerce_max_order_lines,
							DEFAULT_MAX_ORDER_LINES, 1, LIMIT_MAX_ORDER_LINES,
							PGC_SUSET, 0, NULL, NULL, NULL);
	counter_init();
	notifier_init();
	launcher_init();
	MarkGUCPrefixReserved("commerce");

	tables_init();
	row_target_init();
}
