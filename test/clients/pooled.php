<?php
// PDO and a pool: a line for each way, with what it comes to.
function show(string $name, array $options): void
{
    [$db, $other] = [new PDO('pgsql:dbname=shop', null, null, $options), new PDO('pgsql:dbname=shop')];
    $result = [];
    $statement = $db->prepare('SELECT commerce.get_balance(?)');
    foreach ([1, 2] as $i) {
        try {
            $statement->execute([1]);
            $result[] = 'works';
        } catch (PDOException $e) {
            $result[] = $e->getCode();
        }
        // The server's session that has run it is somebody else's now.
        if ($i == 1) {
            $other->beginTransaction();
            $other->exec('SELECT 1');
        }
    }
    echo "PDO, $name: ", implode(' ', $result), "\n";
}

// Each statement is deallocated when it goes.
function show_in_transaction(string $name, array $options): void
{
    $db = new PDO('pgsql:dbname=shop', null, null, $options);
    $result = [];
    $db->beginTransaction();
    foreach ([1, 2] as $i) {
        try {
            $statement = $db->prepare('SELECT commerce.get_balance(?)');
            $statement->execute([1]);
            $result[] = 'works';
        } catch (PDOException $e) {
            $result[] = $e->getCode();
        }
        unset($statement);
    }
    echo "PDO, $name, in a transaction: ", implode(' ', $result), "\n";
}

$unprepared = [PDO::PGSQL_ATTR_DISABLE_PREPARES => true];
show('prepared', []);
show('DISABLE_PREPARES', $unprepared);
show_in_transaction('prepared', []);
show_in_transaction('DISABLE_PREPARES', $unprepared);
