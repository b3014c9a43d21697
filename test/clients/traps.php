<?php
// What goes wrong with PDO, and what does not: a line for each.
$db = new PDO('pgsql:dbname=shop');

function show(string $name, callable $work): void
{
    try {
        $result = $work();
        echo "pdo: $name: ", gettype($result), ' ', json_encode($result), "\n";
    } catch (PDOException $e) {
        echo "pdo: $name: {$e->getCode()}\n";
    }
}

function query(string $sql, array $parameters = [])
{
    global $db;
    $statement = $db->prepare($sql);
    $statement->execute($parameters);
    return $statement->fetchColumn();
}

// Rolled back each time.
function cancel($restock, ?int $type = null)
{
    global $db;
    $db->beginTransaction();
    try {
        $order = query('SELECT order_id FROM commerce.place_order(1, \'[{"option_id": 1, "quantity": 1}]\')');
        $statement = $db->prepare('SELECT status FROM commerce.cancel_order(?, restock => ?)');
        $statement->bindValue(1, $order);
        $type === null ? $statement->bindValue(2, $restock) : $statement->bindValue(2, $restock, $type);
        $statement->execute();
        return $statement->fetchColumn();
    } finally {
        $db->rollBack();
    }
}

$quote = 'SELECT line_total FROM commerce.quote_order(1, ?)';
show('a bigint', fn () => query('SELECT price FROM commerce.product_options'));
show('false', fn () => cancel(false));
show('true', fn () => cancel(true));
show('false as PARAM_BOOL', fn () => cancel(false, PDO::PARAM_BOOL));
show('false as text', fn () => cancel('false'));
show('a boolean', fn () => query('SELECT true'));
show('items as JSON', fn () => query($quote, [json_encode([['option_id' => 1, 'quantity' => 1]])]));
show('items with a gap', fn () => query($quote, [json_encode(array_filter([null, ['option_id' => 1, 'quantity' => 1]]))]));
show('an array', fn () => query('SELECT commerce.ack_events(?, ?)', ['{1}', '{1}']));
show('DETAIL', function () use ($quote) {
    try {
        query($quote, ['[]']);
    } catch (PDOException $e) {
        $is_there = preg_match('/^DETAIL: /m', $e->errorInfo[2]);
        return $is_there && count($e->errorInfo) == 3 ? 'in the message alone' : 'elsewhere';
    }
});
