# The same idempotency keys from eight connections at once: one row for each key, and every caller is told its id.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $clients = 8;
my $keys = 100;
my $node = new_node('idempotency');
$node->safe_psql('postgres', 'create table answers (key text, id uuid)');

# Every client walks through the same keys in the same order, so that they meet at them; the model is new to all of them.
my $script = $node->basedir . '/record.pgbench';
append_to_file($script, <<'SQL');
\set n :n + 1
insert into answers select 'k' || :n, record_interaction('hola ' || :n, p_detected_intent => 'saludo', p_idempotency_key => 'k' || :n);
SQL
$node->command_ok(
    [ 'pgbench', '--no-vacuum', "--client=$clients", '--jobs=2', "--transactions=$keys", '--define=n=0', "--file=$script",
        'postgres' ],
    'all calls succeed');

is($node->safe_psql('postgres', 'select count(*), count(distinct idempotency_key) from ai_training_data'), "$keys|$keys",
    'one row for each key');
is($node->safe_psql('postgres', 'select count(*), count(distinct (key, id)) from answers'), ($clients * $keys) . "|$keys",
    'everybody gets the same id for a key');
is($node->safe_psql('postgres', 'select count(*) from answers a join ai_training_data d on d.id = a.id and d.idempotency_key = a.key'),
    $clients * $keys, 'and it is that of the row');
log_shows_no_crash($node);
$node->stop;
done_testing();
