/*
 * settings.c
 *		The settings of the extension: names, defaults, bounds.
 *
 * The variables belong to the files that obey them. doc/reference.md tells of
 * each setting.
 */
#include "postgres.h"

#include "api/settings.h"
#include "base/compat.h"
#include "base/refusal.h"
#include "base/stop.h"
#include "counter/counter.h"
#include "mb/pg_wchar.h"
#include "notify/databases.h"
#include "notify/notify.h"
#include "order/order_request.h"
#include "order/order_requests.h"
#include "shop/actor.h"
#include "shop/balance.h"
#include "shop/coupon_issue.h"
#include "shop/items.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "worker/notifier.h"

static char *max_charge_amount_text;

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
	balance_max_charge_amount = *(int64 *) extra;
}

/* What one call may do. */
static void
define_limits(void)
{
	DefineCustomStringVariable("commerce.max_charge_amount",
							   "Most that one charge may add, in minor currency units.",
							   NULL, &max_charge_amount_text, "1000000000000",
							   PGC_SUSET, 0, check_max_charge_amount,
							   assign_max_charge_amount, NULL);
	DefineCustomIntVariable("commerce.max_order_lines",
							"Most elements that the items of an order may have.",
							NULL, &items_max_elements, 1000, 1, 100000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.max_hold_time",
							"Most time that a hold may wait to be paid.",
							NULL, &order_max_hold_s, 7 * SECS_PER_DAY,
							1, 365 * SECS_PER_DAY,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.max_batch_requests",
							"Most requests that one place_orders may hold.",
							NULL, &order_requests_max, 10000, 1, 10000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.max_batch_users",
							"Most users that one issue_coupons may have.",
							NULL, &coupon_max_batch_users, 1000000, 1, 10000000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.max_slots",
							"Most slots of one striped counter.",
							NULL, &counter_max_slots, 64, 1, 1024,
							PGC_SUSET, 0, NULL, NULL, NULL);
}

static bool
check_actor(char **newval, void **extra, GucSource source)
{
	if (pg_mbstrlen(*newval) <= ACTOR_MAX_CHARACTERS)
		return true;
	GUC_check_errdetail("The value must have at most %d characters.",
						ACTOR_MAX_CHARACTERS);
	return false;
}

/* Who does what. */
static void
define_actor(void)
{
	DefineCustomBoolVariable("commerce.record_actor",
							 "Write who did it with what is done.",
							 "With balance entries, stock adjustments, orders and their closing.",
							 &actor_is_recorded, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("commerce.actor",
							   "Who that is.",
							   "Empty: the session's user.",
							   &actor_setting, "",
							   PGC_USERSET, 0, check_actor, NULL, NULL);
}

/* How the channel commerce_outbox is notified. */
static void
define_notifications(void)
{
	DefineCustomBoolVariable("commerce.notify",
							 "Notify channel commerce_outbox of every order.",
							 "Off suits those who only poll the events.",
							 &notify_enabled, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("commerce.notify_interval",
							"Least time between two notifications of the background notifier.",
							NULL, &notifier_interval, 1, 0, 60000,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("commerce.databases",
							   "Databases that get a background notifier.",
							   "Needs commerce in shared_preload_libraries.",
							   &databases_setting, "",
							   PGC_SIGHUP, GUC_LIST_INPUT,
							   databases_check, NULL, NULL);
}

static void
define_log(void)
{
	DefineCustomBoolVariable("commerce.log_refusals",
							 "Write refusals to the server's log.",
							 "They go to the client in any case.",
							 &refusal_is_logged, false,
							 PGC_SUSET, 0, NULL, NULL, NULL);
}

void
settings_init(void)
{
	define_limits();
	define_actor();
	define_log();
	define_notifications();
	stop_define_settings();
	MarkGUCPrefixReserved("commerce");
}
