# Logical replication: a subscriber with the extension gets the rows, predicts as the publisher does, and its own triggers
# leave what arrives alone. Every table can be published without making its rows unchangeable.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('logical', streaming => 1, conf => "wal_level = logical\nmax_worker_processes = 16\nmax_wal_senders = 10\nmax_replication_slots = 10\n");
$node->safe_psql('postgres', 'create database replica');
$node->safe_psql('replica', 'create extension pg_retrain');
$node->safe_psql('postgres', <<'SQL');
select count(record_interaction('message ' || n, p_detected_intent => 'intent ' || n % 3)) from generate_series(1, 60) n;
select status from train_intent_model();
create publication everything for all tables;
update ai_alert_rules set min_rows = 21 where rule_name = (select min(rule_name) from ai_alert_rules);
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical) values ('mine', 'm', 'f1_score', 'above', 0.9, 0.8);
delete from ai_alert_rules where rule_name = 'mine';
drop publication everything;
SQL
is($node->safe_psql('postgres', q{select count(*) from ai_alert_rules where rule_name = 'mine'}), '0',
    'rules of alerts change and go while all tables are published');

my @tables = split /\n/, $node->safe_psql('postgres', <<'SQL');
select c.relname from pg_class c join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
join pg_extension e on d.refclassid = 'pg_extension'::regclass and d.refobjid = e.oid and e.extname = 'pg_retrain'
where c.relkind = 'r' and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'shipped')
order by 1
SQL
my $connection = 'dbname=postgres host=' . $node->host . ' port=' . $node->port;
$node->safe_psql('postgres', 'create publication models for table ' . join(', ', @tables));
$node->safe_psql('postgres', q{select pg_create_logical_replication_slot('models', 'pgoutput')});
$node->safe_psql('replica', "create subscription models connection '$connection' publication models with (create_slot = false, slot_name = 'models')");
$node->poll_query_until('replica', q{select count(*) > 0 and bool_and(srsubstate in ('r', 's')) from pg_subscription_rel})
    or die 'the tables are not copied';
$node->safe_psql('postgres', <<'SQL');
select status from train_intent_model(p_promote => 'always');
select count(submit_intent_correction(id, 'intent 9')) from ai_training_data where user_message = 'message 7';
delete from ai_training_data where user_message = 'message 8';
select record_interaction('the last one');
SQL
$node->poll_query_until('replica', q{select count(*) = 1 from ai_training_data where user_message = 'the last one'})
    or die 'the changes do not arrive';
for my $query (
    'select version, artifact_sha256, is_active from ai_model_versions order by id',
    q{select version_id, live_until is null from model_live_at()},
    q{select id, text_key, intent_correct, label_changed_at, included_in_training_run from ai_training_data order by id},
    'select count(*) from ai_intent_corrections',
    q{select (predict_intent('message ' || n)).predicted_intent, (predict_intent('message ' || n)).model_version from generate_series(1, 20) n},
) {
    is($node->safe_psql('replica', $query), $node->safe_psql('postgres', $query), "the same on both: $query");
}
is($node->safe_psql('replica', q{select classify_intent('message 7')}), 'intent 9', 'a correction answers there');
$node->safe_psql('replica', 'drop subscription models');
$node->safe_psql('replica', q{select setval(pg_get_serial_sequence('ai_model_versions', 'id'), (select max(id) from ai_model_versions)),
    setval(pg_get_serial_sequence('ai_model_deployments', 'id'), (select max(id) from ai_model_deployments))});
is($node->safe_psql('replica', q{select status, deployed from train_intent_model(p_promote => 'always')}), 'completed|t',
    'the subscriber trains by itself once its sequences are behind the rows');

$node->stop;
done_testing();
