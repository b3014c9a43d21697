/*
 * module.c
 *		Loading the library: what each module needs done once a process.
 */
#include "postgres.h"

#include "api/settings.h"
#include "base/bucket.h"
#include "base/entry.h"
#include "base/metrics.h"
#include "base/refusal.h"
#include "base/tables.h"
#include "fmgr.h"
#include "notify/notify.h"
#include "router/map.h"
#include "router/shortage.h"
#include "row/row_target.h"
#include "worker/launcher.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	settings_init();
	refusal_init();
	entry_init();
	metrics_init();
	tables_init();
	bucket_init();
	row_target_init();
	notify_init();
	map_init();
	shortage_init();
	launcher_init();
}
