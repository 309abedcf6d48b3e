# A dump carries the models: restored in any of the usual ways they give the same answers, numbers go on where they were,
# and every row is the same. DROP EXTENSION leaves nothing behind.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('dump', extension => 0);
my $directory = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', 'create role app; create role reviewer');
$node->safe_psql('postgres', 'create database origin');
# A schema of its own, so that a restore that would depend on a search_path fails.
$node->safe_psql('origin', <<'SQL');
create schema learning;
create extension pg_retrain schema learning;
alter database origin set search_path = public, learning;
SQL
load_dataset($node, 'origin', 'banking', 'intent_en_banking77', 30);

# ---- a database with everything in it --------------------------------------------------------------------------------

$node->safe_psql('origin', <<'SQL');
select count(record_interaction(text, p_detected_intent => intent, p_model_name => 'recorded', p_source => 'imported',
  p_conversation_id => 'c' || id % 50, p_idempotency_key => 'k' || id))
from banking where id % 5 = 0;
SQL
my @trained = train($node, 'origin', model => 'recorded', run_name => 'from the recorded messages');
is("$trained[0] $trained[1]", 'completed t', 'a model learns from recorded messages');
my $source = 'select text, intent, split from banking';
train($node, 'origin', model => 'm', config => '{"preset": "classic"}', source => $source, promote => 'always');
train($node, 'origin', model => 'm', config => '{"preset": "classic", "c": 0.3}', source => $source, promote => 'always');
train($node, 'origin', model => 'm', config => '{"preset": "classic", "min_df": 50}', source => $source, promote => 'never');
is((train($node, 'origin', model => 'm', source => "$source where id < 10"))[0], 'failed', 'a failed run is recorded too');
$node->safe_psql('origin', <<'SQL');
select train_forecast('sales', $$select date '2024-01-01' + n as ds, 20 + n % 7 as y from generate_series(0, 99) n$$);
select rollback_model('m');
select submit_intent_correction(d.id, 'said_by_a_person', 'an answer', true, 'a note with "quotes", \ and , commas', gen_random_uuid())
from ai_training_data d where d.idempotency_key in ('k100', 'k105') or d.id = (select min(id::text)::uuid from ai_training_data);
select record_interaction(E'tabs\tand\nlines, 😀 and \\N', p_model_name => 'recorded', p_context => '{"a": [1, null]}');
select grant_retrain_access('app', 'predictor', 'm');
select grant_retrain_access('reviewer', 'reviewer');
update ai_models set confidence_threshold = 0.4, keep_versions = 7 where model_name = 'recorded';
select create_metrics_snapshot('daily', 'recorded');
insert into ai_alert_rules (rule_name, model_name, metric, direction, target, critical)
values ('f1_score', 'recorded', 'f1_score', 'above', 1.2, 1.1);
select check_alerts();
insert into ai_feedback (message_id, helpful, rating, model_name) values ('m1', true, 5, 'recorded');
insert into ai_prompt_versions (version, prompt_template, is_active, model_name) values (1, 'Eres un asistente.', true, 'recorded');
select record_interaction('borrad mis datos', p_user_id => 'gone', p_model_name => 'recorded');
select forget_user('gone');
insert into ai_retrain_requests (model_name, reason) values ('recorded', 'asked by hand');
select retrain_push_notification('test', 'recorded', '{"a": "ñ"}');
insert into ai_segment_rules (segment, r_min) values ('Campeones', 5);
insert into ai_risk_levels (risk_level, min_probability, days_until_action) values ('nulo', 0, 90);
select count(*) from claim_review_items('ana', p_model_name => 'recorded');
select create_experiment('shop', p_metrics => '["revenue"]', p_salt => 's', p_model_name => 'recorded');
select assign_variant('shop', 'u1'), record_exposure('shop', 'u1', '{"revenue": 3.5}'), record_outcome('shop', 'u1', '{"revenue": 0.1}', p_idempotency_key => 'k');
SQL

my $tables = $node->safe_psql('origin', <<'SQL');
select c.relname from pg_class c join pg_depend d on d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e'
join pg_extension e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass and e.extname = 'pg_retrain'
where c.relkind = 'r' order by 1
SQL
my @tables = split /\n/, $tables;
cmp_ok(scalar(@tables), '>=', 7, 'the extension has tables');

# One line for each table: its rows and their digest; one for each sequence.
sub contents {
    my ($database) = @_;
    my $sql = join "\nunion all\n", map {
        "select '$_', count(*), md5(string_agg(t::text, E'\\n' order by t::text collate \"C\")) from learning.$_ t"
    } @tables;
    return $node->safe_psql($database, $sql) . "\n" . $node->safe_psql($database, <<'SQL');
select sequencename, last_value from pg_sequences where schemaname = 'learning' order by 1
SQL
}

sub all_answers {
    my ($database) = @_;
    my $digest = $node->safe_psql($database, 'select md5(string_agg(a::text, E\'\n\')) from (' . answers_sql('banking', 'm') . ') a');
    $digest .= $node->safe_psql($database, 'select md5(string_agg(f::text, E\'\n\' order by ds, level)) from forecast(\'sales\', 20) f');
    return $digest . $node->safe_psql($database,
        'select md5(string_agg(a::text, E\'\n\')) from (' . answers_sql('banking', 'recorded') . ') a');
}

my $contents = contents('origin');
my $answers = all_answers('origin');
unlike($contents, qr/^ai_\w+\|0\|/m, 'no table of the comparison is empty');
my $other = q{select classify_intent(user_message, 'recorded') from ai_training_data where idempotency_key = 'k100'};
is($node->safe_psql('origin', $other), 'said_by_a_person', 'a correction answers');

# What has to hold in a database that was restored.
sub same_as_origin {
    my ($database, $how) = @_;
    is(contents($database), $contents, "$how: the rows of every table and the counters are the same");
    is(all_answers($database), $answers, "$how: the answers to all test rows are the same");
    is($node->safe_psql($database, $other), 'said_by_a_person', "$how: a correction answers");
    my $session = session($node, database => $database);
    is($session->query_ok(q{set role app; select (predict_intent('my card is lost', 'm')).model_trained; reset role}), 't',
        "$how: the grants hold");
    error_is($session->query(q{set role app; select (predict_intent('my card is lost', 'recorded')).predicted_intent; select count(*) from ai_training_data}),
        '42501', undef, "$how: and their limits");
    $session->query_ok('reset role');
    my $last = $session->query_ok('select max(id) from ai_model_versions');
    my $result = $session->query(train_sql(model => 'm', config => '{"preset": "classic"}', source => $source,
            promote => 'always'));
    like($result->{out}, qr/^completed\|t\|\d+\|/, "$how: it trains") or diag($result->{err});
    is($session->query_ok('select min(id) from ai_model_versions where id > ' . $last), $last + 1,
        "$how: the number of the next version goes on");
    is($session->query_ok('select count(*), count(distinct id) = count(*) from ai_model_deployments where live_until is null and model_name = \'m\''),
        '1|t', "$how: one deployment is open");
    $session->close;
    return;
}

sub fresh_database {
    my ($name) = @_;
    $node->safe_psql('postgres', "create database $name");
    $node->safe_psql('postgres', "alter database $name set search_path = public, learning");
    return;
}

# ---- pg_dump | psql --------------------------------------------------------------------------------------------------

fresh_database('plain');
$node->command_ok([ 'pg_dump', '--file', "$directory/plain.sql", $node->connstr('origin') ], 'pg_dump in plain SQL');
$node->command_ok(
    [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/plain.sql", $node->connstr('plain') ], 'psql reads it');
same_as_origin('plain', 'plain SQL');

# ---- an archive, restored in parallel --------------------------------------------------------------------------------

fresh_database('archive');
$node->command_ok([ 'pg_dump', '-Fc', '--file', "$directory/archive", $node->connstr('origin') ], 'pg_dump as an archive');
$node->command_ok(
    [ 'pg_restore', '--exit-on-error', '-j2', '--dbname', $node->connstr('archive'), "$directory/archive" ],
    'pg_restore with two jobs');
same_as_origin('archive', 'an archive');

# ---- the data alone, triggers disabled -------------------------------------------------------------------------------

fresh_database('data');
$node->safe_psql('data', <<'SQL');
create schema learning;
create extension pg_retrain schema learning;
create table banking (id int primary key, text text, intent text, split text);
select learning.grant_retrain_access('app', 'predictor', 'm');
select learning.grant_retrain_access('reviewer', 'reviewer');
delete from learning.ai_access_grants;
SQL
# The grants on the objects themselves are not data; the two calls above made them.
$node->command_ok(
    [ 'pg_dump', '--data-only', '--disable-triggers', '--file', "$directory/data.sql", $node->connstr('origin') ],
    'pg_dump of the data with its triggers disabled');
$node->safe_psql('data', 'alter table banking alter id add generated always as identity');
$node->command_ok(
    [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$directory/data.sql", $node->connstr('data') ], 'psql reads it');
same_as_origin('data', 'the data alone');

# ---- DROP EXTENSION --------------------------------------------------------------------------------------------------

my $objects = <<'SQL';
select 'relation ' || oid::regclass || ' ' || relkind::text from pg_class
union all select 'function ' || oid::regprocedure from pg_proc
union all select 'type ' || typnamespace::regnamespace || '.' || typname from pg_type
union all select 'schema ' || nspname || coalesce(nspacl::text, '') from pg_namespace where nspname !~ '^pg_(toast_)?temp'
union all select 'trigger ' || tgname from pg_trigger
union all select 'policy ' || polname from pg_policy
union all select 'constraint ' || conname from pg_constraint
union all select 'operator ' || oid::regoperator from pg_operator
union all select 'cast ' || castsource::regtype || ' ' || casttarget::regtype from pg_cast
union all select 'rule ' || ev_class::regclass || ' ' || rulename from pg_rewrite
union all select 'event trigger ' || evtname from pg_event_trigger
union all select 'extension ' || extname from pg_extension
union all select 'default privileges ' || defaclacl::text from pg_default_acl
union all select 'comment on ' || classoid::regclass || ' ' || objoid || ' ' || objsubid from pg_description
union all select 'initial privileges ' || classoid::regclass || ' ' || objoid from pg_init_privs
union all select 'dependency ' || classid::regclass || ' ' || objid || ' ' || refobjid from pg_depend
union all select 'role dependency ' || classid::regclass || ' ' || objid || ' ' || refobjid from pg_shdepend
  where dbid = (select oid from pg_database where datname = current_database())
union all select 'large object ' || oid from pg_largeobject_metadata
union all select 'setting ' || setconfig::text from pg_db_role_setting
order by 1
SQL
fresh_database('dropped');
load_dataset($node, 'dropped', 'banking', 'intent_en_banking77', 10);
my $before = $node->safe_psql('dropped', $objects);
my $session = session($node, database => 'dropped');
my $life = <<'SQL';
create extension pg_retrain;
select status from train_intent_model('m', p_config => '{"preset": "classic"}', p_promote => 'always',
  p_source => 'select text, intent, split from banking');
select record_interaction('my card is lost', p_model_name => 'm') is not null;
select submit_intent_correction(id, 'lost')->>'success' from ai_training_data;
select grant_retrain_access('app', 'trainer');
select classify_intent('my card is lost', 'm');
SQL
like($session->query_ok($life), qr/^completed\nt\ntrue\n.*\nlost\z/ms, 'an extension is used');
isnt($node->safe_psql('dropped', $objects), $before, 'the comparison sees its objects');
$session->query_ok('drop extension pg_retrain');
is($node->safe_psql('dropped', $objects), $before, 'DROP EXTENSION leaves nothing');
is($node->safe_psql('dropped', 'select count(*) from pg_locks where locktype = \'advisory\''), '0', 'not even a lock');
error_is($session->query(q{select predict_intent('hello', 'm')}), '42883', undef, 'its functions are gone');

# The same numbers and names again, with another content, in the session that has the old model in its cache.
(my $other_life = $life) =~ s/from banking'/from (select text, upper(intent) as intent, split from banking) b'/;
$session->query_ok($other_life);
is($session->query_ok(q{select predicted_intent = upper(predicted_intent) from predict_intent('how do I top up?', 'm')}), 't',
    'made again, the extension answers with its own model, not with the one of before');
$session->close;

# In a schema that the user has made, the schema stays and nothing else.
$node->safe_psql('dropped', 'drop extension pg_retrain; create schema learning');
$before = $node->safe_psql('dropped', $objects);
$node->safe_psql('dropped', 'create extension pg_retrain schema learning; drop extension pg_retrain');
is($node->safe_psql('dropped', $objects), $before, 'DROP EXTENSION leaves nothing in a schema of its own');

log_shows_no_crash($node);
done_testing();
