# Retraining by itself with the real pg_cron: jobs are made, changed and removed, what they run is what is meant, the
# scheduler runs one, two callers at once make one training, and nothing is lost over a crash.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $plain = new_node('plain');
my ($status, undef, $error) = $plain->psql('postgres', '\set VERBOSITY verbose' . "\nselect schedule_retraining()");
like($error, qr/0A000: pg_cron is not installed in this database/, 'without pg_cron the error says so');
my $files = $plain->safe_psql('postgres', "select count(*) from pg_available_extensions where name = 'pg_cron'");
$plain->stop;
plan skip_all => 'pg_cron is not installed here' unless $files;

my $node = new_node('cron', extension => 0, conf => <<'CONF');
shared_preload_libraries = 'pg_cron'
cron.database_name = 'shop'
cron.use_background_workers = on
max_worker_processes = 20
CONF
$node->safe_psql('postgres', 'create extension pg_retrain');
$node->safe_psql('postgres', 'create database shop');
$node->safe_psql('shop', 'create schema "my models"; create extension pg_retrain schema "my models"');
sub shop { return $node->safe_psql('shop', qq{set search_path = "my models", public; $_[0]}); }

# ---- what is missing -------------------------------------------------------------------------------------------------

my $session = session($node);
my $result = $session->query('select schedule_retraining()');
is($result->{sqlstate}, '0A000', 'in another database than that of pg_cron: 0A000');
like($result->{detail}, qr/pg_cron works in database "shop"/, 'the detail says where it is');
like($result->{hint}, qr/cron\.schedule_in_database\(.*retrain_if_due\(\).*'postgres'\)/, 'the hint is what to run there');
$session->close;
$session = session($node, database => 'shop');
$result = $session->query('select "my models".schedule_retraining()');
is($result->{hint}, 'Run CREATE EXTENSION pg_cron.', 'the hint asks for the extension');
$session->close;
$node->safe_psql('shop', 'create extension pg_cron');

# ---- jobs ------------------------------------------------------------------------------------------------------------

my $jobs = q{select jobname, schedule, command, database, active from cron.job order by jobname};
shop('select schedule_retraining()');
shop('select schedule_retraining()');
my $command = 'select count(*) from "my models".retrain_if_due() /* pg_retrain */';
my $purge = 'select "my models".retrain_purge_job_runs() /* pg_retrain */';
is(shop($jobs), "pg_retrain/purge|41 3 * * *|$purge|shop|t\npg_retrain/retraining|*/5 * * * *|$command|shop|t",
    'one job, however often it is asked for, and the purge');
shop(q{select schedule_retraining('0 * * * *')});
like(shop($jobs), qr/^pg_retrain\/retraining\|0 \* \* \* \*\|/m, 'another schedule changes the job');
$session = session($node, database => 'shop');
error_is($session->query(q{select "my models".schedule_retraining('every day')}), '22023', qr/invalid schedule/,
    'a schedule that is none');
like($session->query(q{select "my models".schedule_retraining('0 0 */30 * *')})->{err}, qr/begins anew each month/,
    'a step in the day of the month is warned of');
$session->close;

shop(q{select retrain_ensure_model(repeat('long ', 20) || n) from generate_series(1, 2) n});
shop(q{select schedule_retraining('*/5 * * * *', model_name) from ai_models});
shop(q{select retrain_ensure_model('it''s "quoted"'), schedule_retraining(p_model_name => 'it''s "quoted"')});
is(shop(q{select count(*), count(distinct jobname), max(length(jobname)) <= 63 from cron.job where jobname ~ 'retraining/'}),
    '3|3|t', 'long names of models do not meet in one job');
is(shop(q{select command from cron.job where command ~ 'quoted'}),
    q{select count(*) from "my models".retrain_if_due('it''s "quoted"') /* pg_retrain */}, 'names are quoted');

shop('select schedule_snapshots()');
is(shop(q{select command from cron.job where jobname = 'pg_retrain/snapshots'}),
    'select "my models".retrain_take_snapshots() /* pg_retrain */', 'the job of the snapshots');

# ---- what a job runs -------------------------------------------------------------------------------------------------

my $record = q{insert into ai_training_data (model_name, user_message, detected_intent)
    select 'm', format('%s please, number %s', i, n), i from unnest('{alpha,beta}'::text[]) i, generate_series(%s, %s) n};
sub record { my ($from, $to) = @_; return shop(sprintf($record =~ s/%s(?=,|\))/%s/gr =~ s/'%s please, number %s'/'%%s please, number %%s'/r, $from, $to)); }
shop(q{select retrain_ensure_model('m')});
record(1, 50);
is(shop(q{select status from ai_retraining_health where model_name = 'm'}), 'due', 'the health view says due');
is($node->safe_psql('shop', $command), '1', "the job's command, run by hand, trains what is due");
is($node->safe_psql('shop', $command), '0', 'and does nothing when nothing is');
is(shop(q{select status, schedule from ai_retraining_health where model_name = 'm'}), 'ok|0 0 */30 * *',
    'the health view knows the schedule');
is($node->safe_psql('shop', 'select "my models".retrain_take_snapshots() > 0'), 't', 'snapshots are taken');
like(shop(q{select string_agg(distinct period_type, ',' order by period_type) from ai_metrics_snapshots where model_name = 'm'}),
    qr/^daily,hourly,monthly,weekly$/, 'of every period');

# ---- a crash forgets nothing -----------------------------------------------------------------------------------------

record(51, 80);
is(shop(q{select should_retrain('m') ->> 'new_samples'}), '60', 'sixty new samples');
$node->stop('immediate');
$node->start;
is(shop(q{select should_retrain('m') ->> 'new_samples'}), '60', 'after a crash as well');
record(81, 100);

# ---- two at once -----------------------------------------------------------------------------------------------------

my ($one, $two) = (session($node, database => 'shop'), session($node, database => 'shop'));
$one->query_ok(q{begin; set search_path = "my models"});
is($one->query_ok(q{select status from retrain_if_due('m')}), 'completed', 'the first caller trains');
$two->query_ok(q{set search_path = "my models"; set lock_timeout = '5s'});
$result = $two->query(q{select count(*) from retrain_if_due('m')});
is($result->{out}, '0', 'the second one returns without waiting');
is($two->query_ok(q{select status from ai_retraining_health where model_name = 'm'}), 'training', 'the health view says training');
$two->query_ok(q{insert into ai_training_data (model_name, user_message, detected_intent)
    select 'm', 'gamma please, number ' || n, 'gamma' from generate_series(1, 7) n});
$one->query_ok('commit');
is($two->query_ok(q{select should_retrain('m') ->> 'new_samples'}), '7', 'what came meanwhile counts for the next one');
is($two->query_ok(q{select count(*) from retrain_if_due('m')}), '0', 'the same rows are not trained twice');

# A row whose transaction ends while a training runs was not seen by it, whatever its clock says.
$one->query_ok(q{begin; insert into ai_training_data (model_name, user_message, detected_intent)
    select 'm', 'gamma please, number ' || n, 'gamma' from generate_series(100, 104) n;
    savepoint s; update ai_training_data set correct_intent = 'beta', corrected_by_human = true
    where id = (select id from ai_training_data where model_name = 'm' and split = 'train' and not corrected_by_human
      and included_in_training_run is not null order by id limit 1)});
$two->query_ok('begin');
my $run = $two->query_ok(q{select run_id from retrain_begin_run('m', 'full', null, '{}', null, null)});
$one->query_ok('commit');
$two->query_ok(qq{select retrain_mark_rows('m', '$run', clock_timestamp())});
$two->query_ok('commit');
my $held_out = q{select count(*) from ai_labelled_data
    where model_name = 'm' and user_message ~ '^gamma please, number [1-7]$' and split <> 'train'};
is($two->query_ok(qq{select (should_retrain('m') ->> 'new_samples')::int - ($held_out)}), '6', 'rows committed during a training count for the next one');

# ---- NOTIFY ----------------------------------------------------------------------------------------------------------

$one->query_ok('listen ai_models');
shop(q{select status from train_intent_model('m', p_promote => 'always')});
like($one->query('select 1')->{out}, qr/notification "ai_models".*"event": "promoted".*"model_name": "m"/s, 'a promotion is told');
shop(q{select rollback_model('m')});
like($one->query('select 1')->{out}, qr/"event": "rolled_back"/, 'a rollback is told');
shop(q{select status from train_intent_model('none')});
like($one->query('select 1')->{out}, qr/"event": "failed".*"model_name": "none"/, 'a failure is told');
$_->close for $one, $two;

# ---- pg_cron itself runs it ------------------------------------------------------------------------------------------

shop(q{select unschedule_retraining()});
is(shop($jobs), '', 'nothing is left after unschedule_retraining()');
record(200, 260);
shop(q{select schedule_retraining('* * * * *')});
ok($node->poll_query_until('shop', q{select count(*) = 1 from "my models".ai_training_runs
    where model_name = 'm' and run_name like 'auto%' and status = 'completed' and started_at > (
      select max(created_at) from "my models".ai_training_data where model_name = 'm' and user_message like '%number 260')}),
    'pg_cron trains the model');
ok($node->poll_query_until('shop', q{select count(*) > 0 from cron.job_run_details where status = 'succeeded' and command like '%retrain_if_due%'}),
    'and remembers that it did');
shop(q{select unschedule_retraining()});
is(shop(q{select retrain_purge_job_runs()}), '0', 'the purge keeps what is young');
isnt(shop(q{select retrain_purge_job_runs('0')}), '0', 'and deletes what is old');

# ---- rights ----------------------------------------------------------------------------------------------------------

shop(q{create role tenant login; select grant_retrain_access('tenant', 'trainer', 'm'); grant usage on schema public to tenant});
$session = session($node, database => 'shop', user => 'tenant');
error_is($session->query('select "my models".schedule_retraining()'), '42501', qr/no right to use pg_cron/, 'a role needs the schema cron');
$node->safe_psql('shop', 'grant usage on schema cron to tenant');
$session->query_ok(q{select "my models".schedule_retraining(p_model_name => 'm')});
is($session->query_ok('select username, count(*) from cron.job group by 1'), 'tenant|2', 'and then has jobs of its own');
shop('select schedule_retraining()');
$session->query_ok('select "my models".unschedule_retraining()');
is(shop('select string_agg(distinct username, \',\') from cron.job'), shop('select current_user'), 'unscheduling touches nobody else');
$session->close;

log_shows_no_crash($node);
$node->stop;
done_testing();
