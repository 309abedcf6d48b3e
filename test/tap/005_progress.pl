# How far a training is: readable from other connections in ai_training_progress, and as notices in its own session.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $source = 'select text, intent, split from banking';
my @phases = ('reading rows', 'weighting features', 'fitting', 'calibrating', 'evaluating', 'done');
my %place = map { $phases[$_] => $_ } 0 .. $#phases;

# The notices of a training as pairs (phase, percent).
sub notices {
    my ($result) = @_;
    return map { [ /training: ([a-z ]+), (\d+) %/ ] } grep { /NOTICE:/ } split /\n/, $result->{err};
}

# One check for phases and one for percents: both only ever grow.
sub only_forward {
    my ($what, @steps) = @_;
    my @unknown = grep { !defined $place{ $_->[0] } } @steps;
    is(join(', ', map { $_->[0] } @unknown), '', "$what: every phase is a known one");
    my @back = grep { $place{ $steps[$_][0] } < $place{ $steps[ $_ - 1 ][0] } } 1 .. $#steps;
    is(join(', ', map { "$steps[$_-1][0] -> $steps[$_][0]" } @back), '', "$what: phases follow each other");
    @back = grep { $steps[$_][1] < $steps[ $_ - 1 ][1] } 1 .. $#steps;
    is(join(', ', map { "$steps[$_-1][1] % -> $steps[$_][1] % ($steps[$_][0])" } @back), '', "$what: the percent never falls");
    my @outside = grep { $_->[1] < 0 || $_->[1] > 100 } @steps;
    is(scalar(@outside), 0, "$what: it is from 0 to 100");
    return;
}

# ---- preloaded -------------------------------------------------------------------------------------------------------

my $node = new_node('preloaded', preload => 1);
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77');
is($node->safe_psql('postgres', 'select count(*) from ai_training_progress'), '0', 'nothing trains, nothing is shown');
is($node->safe_psql('postgres', <<'SQL'), 'pid integer, model_name text, phase text, done bigint, total bigint, percent real, started_at timestamp with time zone', 'the view has its columns');
select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum)
from pg_attribute where attrelid = 'ai_training_progress'::regclass and attnum > 0
SQL

# Looks at the view from another connection, without a pause, until the training is over, and keeps every change.
$node->safe_psql('postgres', <<'SQL');
create table seen (id int generated always as identity, look ai_training_progress);
create function watch(p_pid int) returns int language plpgsql as $$
declare
  v_now ai_training_progress;
  v_last ai_training_progress;
begin
  for v_look in 1 .. 200000 loop
    select p.* into v_now from ai_training_progress p where p.pid = p_pid;
    if found then
      if v_now is distinct from v_last then
        insert into seen (look) values (v_now);
        v_last := v_now;
      end if;
    elsif v_last.pid is not null then
      return (select count(*) from seen);
    end if;
    perform pg_sleep(0.001);
  end loop;
  return -1;
end
$$;
SQL
my $trainer = session($node);
my $watcher = session($node);
my $pid = session_pid($trainer);
$trainer->query_ok('set pg_retrain.progress = on');
my $long_name = 'é' x 200;
$trainer->start(train_sql(model => $long_name, source => $source, promote => 'always'));
my $looks = $watcher->query_ok("select watch($pid)");
my $result = $trainer->finish;
like($result->{out}, qr/^completed\|t\|1\|/m, 'a training runs while it is watched') or diag($result->{err});
cmp_ok($looks, '>', 5, 'another connection sees it move');
is($node->safe_psql('postgres', 'select count(*) from ai_training_progress'), '0', 'its row is gone when it is over');

my @steps = map { [ split /\|/ ] } split /\n/,
    $node->safe_psql('postgres', q{select (look).phase, (look).percent from seen where (look).phase <> '' order by id});
only_forward('the view', @steps);
my %seen = map { $_->[0] => 1 } @steps;
ok($seen{'reading rows'} && $seen{'fitting'}, 'reading and fitting were seen') or diag(join ', ', sort keys %seen);
is($node->safe_psql('postgres', <<'SQL'), 't|t|t|t', 'what the view says is true of the training');
select count(distinct (look).pid) = 1, count(distinct (look).started_at) = 1,
  bool_and((look).done >= 0 and ((look).total is null or (look).done <= (look).total)),
  min((look).started_at) between (select started_at from ai_training_runs) and (select completed_at from ai_training_runs)
from seen where (look).phase <> ''
SQL
is($node->safe_psql('postgres', 'select distinct (look).model_name from seen'), $long_name, 'the longest name is shown whole');

my @notices = notices($result);
only_forward('the notices', @notices);
is(join(', ', @{ $notices[0] }), 'reading rows, 0', 'the first notice tells of the reading');
is(join(', ', @{ $notices[-1] }), 'done, 100', 'the last one of the end');

# Two at once, each with a row of its own.
my $second = session($node);
my $second_pid = session_pid($second);
create_watcher($node, 'postgres');
$trainer->start(train_sql(model => 'a', source => $source));
$second->start(train_sql(model => 'b', source => $source));
$watcher->query_ok("select act_in_phase($pid, 'fitting', 'none'), act_in_phase($second_pid, 'fitting', 'none')");
is($watcher->query_ok('select count(distinct pid), string_agg(model_name, \' \' order by model_name) from ai_training_progress'),
    '2|a b', 'two trainings are shown side by side');
# Who may not read a model does not learn that it is being trained.
$node->safe_psql('postgres', q{create role reader_of_b; select grant_retrain_access('reader_of_b', 'reader', 'b'); create role nobody_special});
is($watcher->query_ok('set role reader_of_b; select string_agg(model_name, \' \') from ai_training_progress; reset role'),
    'b', 'a reader sees the trainings of the models it may read');
error_is($watcher->query('set role nobody_special; select * from ai_training_progress'), '42501', undef,
    'others see nothing');
$watcher->query_ok('reset role');
$watcher->query_ok("select pg_cancel_backend($pid), pg_cancel_backend($second_pid)");
error_is($trainer->finish, '57014', undef, 'one is cancelled');
error_is($second->finish, '57014', undef, 'and the other');
is($watcher->query_ok('select count(*) from ai_training_progress'), '0', 'both rows are gone');

# No notices unless asked for.
$result = $trainer->query('set pg_retrain.progress = off; ' . train_sql(model => 'a', config => '{"preset": "classic"}', source => "$source where id % 10 = 0"));
is($result->{err}, '', 'without pg_retrain.progress a training is silent');
$node->stop;

# ---- not preloaded ---------------------------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\n");
$node->start;
is($node->safe_psql('postgres', 'show shared_preload_libraries'), '', 'the library is not preloaded');
$trainer = session($node);
$watcher = session($node);
$pid = session_pid($trainer);
$trainer->start('set pg_retrain.progress = on; ' . train_sql(model => 'c', promote => 'always', source => $source));
is($watcher->query_ok("select act_in_phase($pid, 'fitting', 'none')"), 'done', 'the view needs no preloading');
$result = $trainer->finish;
like($result->{out}, qr/^completed\|t\|/m, 'and the training completes') or diag($result->{err});
@notices = notices($result);
only_forward('notices without preloading', @notices);
is($watcher->query_ok('select count(*) from ai_training_progress'), '0', 'the view is empty after it');

log_shows_no_crash($node);
done_testing();
