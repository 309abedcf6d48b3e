# Eight connections record at once. The same idempotency keys: one row for each key, and every caller is told its id.
# Ten thousand messages without keys: each is there once, none twice, and each turn but the last of a conversation is judged.

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
my $each = 1250;
$node->safe_psql('postgres', 'create table given (client int, n int, id uuid)');
my $many = $node->basedir . '/many.pgbench';
append_to_file($many, <<'SQL');
\set n :n + 1
insert into given select :client_id, :n, record_interaction(format('mensaje %s de %s', :n::int, :client_id::int), 'respuesta', 'saludo',
  p_model_name => 'many', p_conversation_id => format('c%s-%s', :client_id::int, :n::int % 50));
SQL
$node->command_ok(
    [ 'pgbench', '--no-vacuum', "--client=$clients", '--jobs=2', "--transactions=$each", '--define=n=0', "--file=$many",
        'postgres' ],
    "$clients times $each calls succeed");
my $all = $clients * $each;
is($node->safe_psql('postgres', q{select count(*), count(distinct user_message), count(distinct id) from ai_training_data where model_name = 'many'}),
    "$all|$all|$all", "$all messages are there, none twice");
is($node->safe_psql('postgres', q{select count(*) from given g join ai_training_data d on d.id = g.id
    and d.user_message = format('mensaje %s de %s', g.n, g.client)}), $all, 'and every caller was told the id of its own');
is($node->safe_psql('postgres', q{select count(*) from ai_training_data where model_name = 'many' and evaluated_at is not null}),
    $all - 50 * $clients, 'every turn that was answered is judged');
log_shows_no_crash($node);
$node->stop;
done_testing();
