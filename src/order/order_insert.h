/*
 * order_insert.h
 *		Writing a new order, its lines and its event.
 */
#ifndef COMMERCE_ORDER_INSERT_H
#define COMMERCE_ORDER_INSERT_H

#include "order/order_request.h"
#include "shop/pricing.h"

/* Write an order that is decided; returns its row. */
extern Row *order_insert(Work *work, int64 order_id,
						 const OrderRequest *request, const Pricing *pricing);

#endif							/* COMMERCE_ORDER_INSERT_H */
