/*
 * tables.h
 *		Which relation, column, sequence and enum value is which.
 *
 * The order of each enum of columns is the order of sql/commerce--1.0.sql.
 * A table's primary key is always its first columns.
 */
#ifndef COMMERCE_TABLES_H
#define COMMERCE_TABLES_H

#include "access/attnum.h"

typedef enum TableId
{
	TABLE_USERS,
	TABLE_BALANCES,
	TABLE_BALANCE_HISTORY,
	TABLE_COUPON_POLICIES,
	TABLE_COUPON_QUOTA_SLOTS,
	TABLE_COUPONS,
	TABLE_PRODUCTS,
	TABLE_PRODUCT_OPTIONS,
	TABLE_STOCK_SLOTS,
	TABLE_STOCK_ADJUSTMENTS,
	TABLE_ORDERS,
	TABLE_ORDER_ITEMS,
	TABLE_OUTBOX,
	TABLE_IDEMPOTENCY_KEYS
} TableId;

#define TABLE_COUNT (TABLE_IDEMPOTENCY_KEYS + 1)

/* The table's name, for messages. */
extern const char *table_name(TableId table);

/* Columns in our own tables: how many, of the key, and the type of one. */
extern int	table_column_count(TableId table);
extern int	table_key_count(TableId table);
extern Oid	table_column_type(TableId table, AttrNumber column);

typedef enum UsersColumn
{
	USERS_USER_ID = 1,
	USERS_NAME,
	USERS_CREATED_AT
} UsersColumn;

typedef enum BalancesColumn
{
	BALANCES_USER_ID = 1,
	BALANCES_BALANCE,
	BALANCES_ENTRY_COUNT,
	BALANCES_UPDATED_AT
} BalancesColumn;

typedef enum BalanceHistoryColumn
{
	BALANCE_HISTORY_USER_ID = 1,
	BALANCE_HISTORY_ENTRY_NO,
	BALANCE_HISTORY_TYPE,
	BALANCE_HISTORY_AMOUNT,
	BALANCE_HISTORY_BALANCE_AFTER,
	BALANCE_HISTORY_ORDER_ID,
	BALANCE_HISTORY_CREATED_AT
} BalanceHistoryColumn;

typedef enum CouponPoliciesColumn
{
	COUPON_POLICIES_POLICY_ID = 1,
	COUPON_POLICIES_NAME,
	COUPON_POLICIES_DISCOUNT_TYPE,
	COUPON_POLICIES_DISCOUNT_VALUE,
	COUPON_POLICIES_MAX_DISCOUNT_AMOUNT,
	COUPON_POLICIES_MIN_ORDER_AMOUNT,
	COUPON_POLICIES_QUANTITY,
	COUPON_POLICIES_PER_USER_LIMIT,
	COUPON_POLICIES_ISSUE_FROM,
	COUPON_POLICIES_ISSUE_UNTIL,
	COUPON_POLICIES_VALID_FOR,
	COUPON_POLICIES_VALID_UNTIL,
	COUPON_POLICIES_RESTORE_ON_CANCEL,
	COUPON_POLICIES_CREATED_AT
} CouponPoliciesColumn;

/* stock_slots and coupon_quota_slots */
typedef enum SlotsColumn
{
	SLOTS_ID = 1,
	SLOTS_SLOT,
	SLOTS_LEVEL,
	SLOTS_QUANTITY
} SlotsColumn;

typedef enum CouponsColumn
{
	COUPONS_COUPON_ID = 1,
	COUPONS_POLICY_ID,
	COUPONS_USER_ID,
	COUPONS_STATUS,
	COUPONS_ISSUED_AT,
	COUPONS_EXPIRES_AT,
	COUPONS_USED_AT,
	COUPONS_ORDER_ID,
	COUPONS_DISCOUNT_AMOUNT,
	COUPONS_ISSUE_NO
} CouponsColumn;

typedef enum ProductsColumn
{
	PRODUCTS_PRODUCT_ID = 1,
	PRODUCTS_NAME,
	PRODUCTS_CREATED_AT
} ProductsColumn;

typedef enum ProductOptionsColumn
{
	PRODUCT_OPTIONS_OPTION_ID = 1,
	PRODUCT_OPTIONS_PRODUCT_ID,
	PRODUCT_OPTIONS_NAME,
	PRODUCT_OPTIONS_PRICE,
	PRODUCT_OPTIONS_CREATED_AT
} ProductOptionsColumn;

typedef enum StockAdjustmentsColumn
{
	STOCK_ADJUSTMENTS_ADJUSTMENT_ID = 1,
	STOCK_ADJUSTMENTS_OPTION_ID,
	STOCK_ADJUSTMENTS_QUANTITY,
	STOCK_ADJUSTMENTS_REASON,
	STOCK_ADJUSTMENTS_CREATED_AT
} StockAdjustmentsColumn;

typedef enum OrdersColumn
{
	ORDERS_ORDER_ID = 1,
	ORDERS_USER_ID,
	ORDERS_STATUS,
	ORDERS_SUBTOTAL,
	ORDERS_DISCOUNT,
	ORDERS_TOTAL,
	ORDERS_REFUNDED,
	ORDERS_COUPON_ID,
	ORDERS_PLACED_AT,
	ORDERS_PAID_AT,
	ORDERS_CLOSED_AT,
	ORDERS_EXPIRES_AT,
	ORDERS_CANCEL_REASON
} OrdersColumn;

typedef enum OrderItemsColumn
{
	ORDER_ITEMS_ORDER_ID = 1,
	ORDER_ITEMS_LINE_NO,
	ORDER_ITEMS_OPTION_ID,
	ORDER_ITEMS_PRODUCT_ID,
	ORDER_ITEMS_QUANTITY,
	ORDER_ITEMS_UNIT_PRICE,
	ORDER_ITEMS_DISCOUNT_AMOUNT,
	ORDER_ITEMS_REFUNDED_QUANTITY
} OrderItemsColumn;

typedef enum OutboxColumn
{
	OUTBOX_EVENT_ID = 1,
	OUTBOX_EVENT_TYPE,
	OUTBOX_ORDER_ID,
	OUTBOX_STATUS,
	OUTBOX_ATTEMPT,
	OUTBOX_MAX_ATTEMPTS,
	OUTBOX_NEXT_ATTEMPT_AT,
	OUTBOX_LOCKED_UNTIL,
	OUTBOX_LAST_ERROR,
	OUTBOX_CREATED_AT,
	OUTBOX_DELIVERED_AT,
	OUTBOX_REFUND
} OutboxColumn;

typedef enum IdempotencyKeysColumn
{
	IDEMPOTENCY_KEYS_USER_ID = 1,
	IDEMPOTENCY_KEYS_FUNCTION_NAME,
	IDEMPOTENCY_KEYS_IDEMPOTENCY_KEY,
	IDEMPOTENCY_KEYS_ARGUMENTS_DIGEST,
	IDEMPOTENCY_KEYS_OBJECT_ID,
	IDEMPOTENCY_KEYS_CREATED_AT
} IdempotencyKeysColumn;

typedef enum SequenceId
{
	SEQUENCE_USER_ID,
	SEQUENCE_PRODUCT_ID,
	SEQUENCE_OPTION_ID,
	SEQUENCE_POLICY_ID,
	SEQUENCE_COUPON_ID,
	SEQUENCE_ADJUSTMENT_ID,
	SEQUENCE_ORDER_ID,
	SEQUENCE_EVENT_ID
} SequenceId;

#define SEQUENCE_COUNT (SEQUENCE_EVENT_ID + 1)

/* The enum labels that C code writes or tells apart. */
typedef enum EnumLabel
{
	ENTRY_CHARGE,
	ENTRY_USE,
	ENTRY_PAYMENT,
	ENTRY_REFUND,
	DISCOUNT_FIXED,
	DISCOUNT_PERCENT,
	COUPON_ISSUED,
	COUPON_USED,
	COUPON_IS_REVOKED,
	ORDER_PENDING,
	ORDER_PAID,
	ORDER_PARTIALLY_REFUNDED,
	ORDER_REFUNDED,
	ORDER_CANCELLED,
	ORDER_IS_EXPIRED,
	EVENT_AVAILABLE,
	EVENT_RUNNING,
	EVENT_DELIVERED,
	EVENT_DEAD,
	EVENT_DISCARDED
} EnumLabel;

#define ENUM_LABEL_COUNT (EVENT_DISCARDED + 1)

/*
 * OIDs, looked up when first asked for and again after any change of these
 * relations. Raise 55000 when the extension's objects are not as they should
 * be.
 */
extern Oid	table_oid(TableId table);
extern Oid	sequence_oid(SequenceId sequence);
extern Oid	enum_oid(EnumLabel label);

/* The role that owns the tables: SQL from C runs as this one. */
extern Oid	extension_owner(void);

/* The next value of a sequence, whoever is asking. */
extern int64 sequence_next(SequenceId sequence);

/* Move a sequence past an id that was given explicitly. */
extern void sequence_pass(SequenceId sequence, int64 id);

/* Called once, by _PG_init. */
extern void tables_init(void);

#endif							/* COMMERCE_TABLES_H */
