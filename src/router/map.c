/*
 * map.c
 *		Which node has which users: a router's own notes.
 *
 * What changes the tables calls map_changed(), and every session reads them
 * anew when its next transaction begins.
 */
#include "postgres.h"

#include "base/bucket.h"
#include "base/entry.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "router/map.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define SCHEMA	"commerce_router"

typedef struct Map
{
	bool		is_known;
	Oid			relid;			/* of the table nodes */
	MemoryContext context;
	MapNode    *nodes;			/* by node_no */
	int			count;
	int64		first_id;
	int16		node_of[BUCKET_COUNT];	/* its place in nodes; -1: nobody's */
} Map;

static Map	map;

/* Set by an invalidation that arrives while we read it. */
static bool is_forgotten;

static void
forget_map(Datum arg, Oid relid)
{
	if (relid != InvalidOid && relid != map.relid)
		return;
	map.is_known = false;
	is_forgotten = true;
}

static Oid
nodes_oid(void)
{
	return get_relname_relid("nodes", get_namespace_oid(SCHEMA, false));
}

static void
run(const char *query, int columns)
{
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT ||
		SPI_tuptable->tupdesc->natts != columns)
		elog(ERROR, "could not read the map");
}

static Datum
cell(uint64 row, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column, &isnull);

	if (isnull)
		elog(ERROR, "unexpected NULL in the map");
	return value;
}

static void
read_nodes(void)
{
	run("SELECT node_no, conninfo, is_home, first_id FROM commerce_router.nodes"
		" ORDER BY node_no", 4);
	map.count = SPI_processed;
	map.nodes = MemoryContextAlloc(map.context,
								   Max(map.count, 1) * sizeof(MapNode));
	for (int i = 0; i < map.count; i++)
	{
		char	   *conninfo = TextDatumGetCString(cell(i, 2));

		map.nodes[i].node_no = DatumGetInt32(cell(i, 1));
		map.nodes[i].conninfo = MemoryContextStrdup(map.context, conninfo);
		map.nodes[i].is_home = DatumGetBool(cell(i, 3));
		map.first_id = DatumGetInt64(cell(i, 4));
	}
}

static int16
index_of(int32 node_no)
{
	for (int i = 0; i < map.count; i++)
		if (map.nodes[i].node_no == node_no)
			return i;
	return -1;
}

static void
read_buckets(void)
{
	memset(map.node_of, 0xff, sizeof(map.node_of));
	run("SELECT bucket, node_no FROM commerce_router.buckets"
		" WHERE bucket BETWEEN 0 AND 4095", 2);
	for (uint64 i = 0; i < SPI_processed; i++)
		map.node_of[DatumGetInt32(cell(i, 1))] =
			index_of(DatumGetInt32(cell(i, 2)));
}

static void
get_map(void)
{
	while (!map.is_known)
	{
		if (map.context == NULL)
			map.context = AllocSetContextCreate(CacheMemoryContext,
												"commerce map",
												ALLOCSET_SMALL_SIZES);
		MemoryContextReset(map.context);
		map.relid = nodes_oid();
		is_forgotten = false;
		SPI_connect();
		read_nodes();
		read_buckets();
		SPI_finish();
		map.is_known = !is_forgotten;
	}
}

const MapNode *
map_nodes(int *count)
{
	get_map();
	if (map.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this router knows no node"),
				 errhint("commerce_router.add_node() adds one.")));
	*count = map.count;
	return map.nodes;
}

const MapNode *
map_node_of_bucket(int32 bucket)
{
	int			count;
	const MapNode *nodes = map_nodes(&count);

	if (map.node_of[bucket] < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this router knows no node that has bucket %d", bucket),
				 errhint("commerce_router.refresh() asks the nodes.")));
	return &nodes[map.node_of[bucket]];
}

const MapNode *
map_node(int32 node_no)
{
	int			count;
	const MapNode *nodes = map_nodes(&count);
	int16		i = index_of(node_no);

	if (i < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this router knows no node %d", node_no)));
	return &nodes[i];
}

const MapNode *
map_home(void)
{
	int			count;
	const MapNode *nodes = map_nodes(&count);

	for (int i = 0; i < count; i++)
		if (nodes[i].is_home)
			return &nodes[i];
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("this router knows no node that is home to the catalogue")));
}

int64
map_first_id(void)
{
	get_map();
	return map.first_id;
}

static Entry map_changed_entry = {.type = VOIDOID};

/* Tells all sessions, at commit, to read the map anew. */
ENTRY_POINT(map_changed)
{
	CacheInvalidateRelcacheByRelid(nodes_oid());
	PG_RETURN_VOID();
}

void
map_init(void)
{
	CacheRegisterRelcacheCallback(forget_map, (Datum) 0);
}
