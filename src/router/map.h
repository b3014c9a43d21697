/*
 * map.h
 *		Which node has which users: a router's own notes.
 *
 * The nodes themselves know which buckets they have; the tables nodes and
 * buckets of the schema commerce_router say what they last told. A session
 * keeps both, until they change: doc/scale.md.
 */
#ifndef COMMERCE_MAP_H
#define COMMERCE_MAP_H

#include "postgres.h"

typedef struct MapNode
{
	int32		node_no;
	char	   *conninfo;
	bool		is_home;		/* of the catalogue */
} MapNode;

/* All nodes, by number; none is an error, 55000. Good until the map changes. */
extern const MapNode *map_nodes(int *count);

/* The node that has the bucket; none is 55000. */
extern const MapNode *map_node_of_bucket(int32 bucket);

/* The node of this number; none is 55000. */
extern const MapNode *map_node(int32 node_no);

/* The node whose catalogue the others follow; none is 55000. */
extern const MapNode *map_home(void);

/* Ids from this one on have a bucket. */
extern int64 map_first_id(void);

/* Called once, by _PG_init. */
extern void map_init(void);

#endif							/* COMMERCE_MAP_H */
