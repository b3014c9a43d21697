<?php
// PHP PDO: buys, is refused, and takes the events.
// Otherwise PDO prepares each statement anew and deallocates it, which is an error of its
// own in a transaction that has failed, and behind PgBouncer in any.
$db = new PDO('pgsql:dbname=shop', null, null, [PDO::PGSQL_ATTR_DISABLE_PREPARES => true]);

// Runs it once more as long as somebody else was there first.
function in_transaction(PDO $db, callable $work, int $attempts = 10)
{
    for ($attempt = 1; ; $attempt++) {
        try {
            $db->beginTransaction();
            $db->exec('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
            $result = $work();
            $db->commit();
            return $result;
        } catch (PDOException $e) {
            if ($db->inTransaction()) $db->rollBack();
            if (!in_array($e->getCode(), ['40001', '40P01']) || $attempt == $attempts) throw $e;
        }
    }
}

function query(PDO $db, string $sql, array $parameters = []): array
{
    $statement = $db->prepare($sql);
    $statement->execute($parameters);
    return $statement->fetchAll(PDO::FETCH_OBJ);
}

function place_order(PDO $db, array $items, ?string $key = null): object
{
    return query($db, 'SELECT * FROM commerce.place_order(?, ?, idempotency_key => ?)',
        [1, json_encode($items), $key])[0];
}

// PDO has no field for DETAIL: it is a line of the message.
function detail(PDOException $e): object
{
    preg_match('/^DETAIL:\s+(.*)$/m', $e->errorInfo[2], $match);
    return json_decode($match[1]);
}

$option_id = query($db, 'SELECT option_id FROM commerce.product_options WHERE name = ?', ['size M'])[0]->option_id;
$order = in_transaction($db, function () use ($db, $option_id) {
    query($db, 'SELECT * FROM commerce.charge_balance(?, ?, ?)', [1, 10000, 'tx-8813']);
    return place_order($db, [['option_id' => $option_id, 'quantity' => 2]], 'cart-52');
});
echo "order $order->order_id is $order->status: $order->total\n";

try {
    place_order($db, [['option_id' => $option_id, 'quantity' => 99]]);
} catch (PDOException $e) {
    if (!str_starts_with($e->getCode(), 'SC')) throw $e;
    [$short] = detail($e)->shortages;
    echo "{$e->getCode()}: $short->available are left, not $short->requested\n";
}

$events = query($db, "SELECT * FROM commerce.claim_events(100, '1 minute')");
foreach ($events as $event)
    echo "$event->event_type ", json_decode($event->payload)->data->order->total, "\n";
// PDO has no arrays: they go as text.
[$result] = query($db, 'SELECT commerce.ack_events(?, ?) AS acked', array_map(
    fn ($column) => '{' . implode(',', array_column($events, $column)) . '}', ['event_id', 'attempt']));
echo "$result->acked acknowledged\n";
