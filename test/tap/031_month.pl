# A few simulated days: messages arrive under partly wrong intents, some are corrected in the order of the review queue,
# and each evening retrain_if_due() is called. It trains when enough is new and only then, the model gets better, a
# poisoned import is rejected while the live version stays, and whoever listens is told of everything.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('month');
load_dataset($node, 'postgres', 'corpus', 'intent_en_clinc150', 12);
sub sql { return $node->safe_psql('postgres', $_[0]); }

# place decides when a message comes and with what label: 700 in the stream, every fifth of them under the intent after
# its own; the rest is the import. md5 deals them the same way everywhere.
sql(<<'SQL');
create table message as
select text, intent, row_number() over (order by md5(text)) as place, null::uuid as id
from corpus where split = 'train' and intent <> 'oos';
create table label as
select i.intent, coalesce(lead(i.intent) over w, first_value(i.intent) over w) as wrong
from (select distinct intent from message) i window w as (order by i.intent
  rows between unbounded preceding and unbounded following);
create view exam as select text, intent from corpus where split = 'test' and intent <> 'oos';
insert into ai_models (model_name, config, auto_retrain_threshold)
values ('month', '{"preset": "classic"}', 120), ('alone', '{"preset": "classic"}', 120);
create table unseen (id uuid primary key);
SQL

# The messages of a day, to both models; only "month" is reviewed.
sub record_day {
    my ($from, $to) = @_;
    sql(<<SQL);
with said as (
  select m.place, m.text, case when m.place % 5 = 0 then l.wrong else m.intent end as said
  from message m join label l using (intent)
  where m.place between $from and $to
  order by m.place
), recorded as materialized (
  select s.place, record_interaction(s.text, p_detected_intent => s.said, p_model_name => 'month') as id,
    record_interaction(s.text, p_detected_intent => s.said, p_model_name => 'alone') is not null as alone
  from said s
), counted as (
  insert into unseen select r.id from recorded r
)
update message m set id = r.id from recorded r where m.place = r.place
SQL
    return;
}

sub review {
    my ($count) = @_;
    return sql(<<SQL);
with asked as materialized (
  select q.id from get_review_queue($count, 'margin', 'month') q
), corrected as materialized (
  select m.id, submit_intent_correction(m.id, m.intent) as answer from message m join asked a on a.id = m.id
), counted as (
  insert into unseen select c.id from corrected c on conflict do nothing
)
select count(*), count(*) filter (where (c.answer ->> 'was_mismatch')::boolean) from corrected c
SQL
}

sub live { return sql(q{select id from ai_model_metadata where model_name = 'month' and is_active}); }

sub macro_f1 {
    my ($model) = @_;
    return sql(<<SQL);
with answers as materialized (select e.intent, classify_intent(e.text, '$model') as answer from exam e)
select round(avg(2.0 * i.both / (i.truth + i.answered)), 4)
from (
  select count(*) filter (where a.intent = l.intent) as truth, count(*) filter (where a.answer = l.intent) as answered,
    count(*) filter (where a.intent = l.intent and a.answer = l.intent) as both
  from label l join answers a on l.intent in (a.intent, a.answer) group by l.intent) i
SQL
}

# Calls retrain_if_due() and holds what should_retrain() says before, and the runs after, against our own account of
# what no training has seen. Gives the verdict, or ''.
sub evening {
    my ($day) = @_;
    my $unseen = sql('select count(*) from unseen');
    my $due = $unseen >= 120;
    my $before = sql(q{select count(*) from ai_training_runs where model_name = 'month'});
    my $live = live();
    my $reason = !$due ? "$unseen new samples, a training is due at 120"
        : $before == 0 ? "$unseen labelled samples and no training yet"
        : "$unseen new samples since the last training";
    is(sql(q{select a ->> 'due', a ->> 'new_samples', a ->> 'reason' from should_retrain('month') a}),
        ($due ? 'true' : 'false') . "|$unseen|$reason", "$day: should_retrain() counts what is new");
    my ($verdict, $deployed, $version) =
        split /\|/, sql(q{select gate ->> 'verdict', deployed, model_version_id from retrain_if_due('month')});
    is(sql(q{select count(*) from ai_training_runs where model_name = 'month'}), $before + ($due ? 1 : 0),
        "$day: " . ($due ? 'one training' : 'no training'));
    is(live(), $due && $deployed eq 't' ? $version : $live,
        "$day: " . ($due && $deployed eq 't' ? 'the new version is live' : 'the live version stays'));
    is(sql(q{select should_retrain('month') ->> 'due'}), 'false', "$day: nothing is due afterwards");
    sql('truncate unseen') if $due;
    sql(q{select count(*) from retrain_if_due('alone')});
    return $verdict // '';
}

my $listener = session($node);
$listener->query_ok('listen ai_models');
# Events since the last time, as "event version".
sub heard {
    my $out = $listener->query_ok('select 1');
    my @heard;
    for my $payload ($out =~ /notification "ai_models" with payload "(.*?)" received/g) {
        my ($event) = $payload =~ /"event": "(\w+)"/;
        my ($model) = $payload =~ /"model_name": "(\w+)"/;
        my ($version) = $payload =~ /"version_id": (\d+)/;
        push @heard, "$event " . ($version // '-') if $model eq 'month';
    }
    return join ', ', @heard;
}

# ---- good days -------------------------------------------------------------------------------------------------------

record_day(1, 180);
is(evening('day 1'), 'promoted', 'day 1: the first version goes live');
is(heard(), 'promoted ' . live(), 'day 1: listeners are told');
my $first = macro_f1('month');

record_day(181, 320);
is((split /\|/, review(40))[0], '40', 'day 2: forty messages are reviewed');
is(evening('day 2'), 'promoted', 'day 2: promoted');
is(heard(), 'promoted ' . live(), 'day 2: listeners are told');

record_day(321, 360);
review(40);
is(evening('day 3'), '', 'day 3: a quiet day');
is(heard(), '', 'day 3: nothing is told');

record_day(361, 500);
my ($reviewed, $wrong) = split /\|/, review(40);
cmp_ok($wrong, '>=', 20, "day 4: of $reviewed reviews $wrong found a wrong intent, where chance finds one in five");
is(evening('day 4'), 'promoted', 'day 4: promoted');
is(heard(), 'promoted ' . live(), 'day 4: listeners are told');

# ---- a poisoned import -----------------------------------------------------------------------------------------------

my ($live, $before) = (live(), macro_f1('month'));
is(sql(<<'SQL'), '500', 'day 5: 500 reviewed messages are imported, their labels one line too high');
select import_training_dataset(p_model_name => 'month', p_lines => array_agg(jsonb_build_object(
  'text', m.text, 'intent', m.slipped, 'was_corrected', true)::text order by m.place)) -> 'imported'
from (select text, place, lead(intent, 1, 'oops') over (order by place) as slipped from message where place > 700) m
SQL
sql(q{insert into unseen select id from ai_training_data where model_name = 'month' and source = 'imported'});
is(evening('day 5'), 'rejected', 'day 5: the gate rejects what learnt from it');
my $run = sql(q{select id from ai_training_runs where model_name = 'month' order by created_at desc limit 1});
is(sql(<<SQL), 'completed|f|rejected|rejected|t|t', 'day 5: run and version say so, with both numbers');
select r.status, r.deployed, r.gate ->> 'verdict', v.status, r.gate #>> '{live,f1_score}' is not null,
  r.gate #>> '{candidate,f1_score}' is not null
from ai_training_runs r join ai_model_metadata v on v.id = r.model_version_id where r.id = '$run'
SQL
is(live(), $live, 'day 5: the live version is the one of the day before');
is(macro_f1('month'), $before, 'day 5: and answers as the day before');
my $told = $listener->query_ok('select 1');
my ($payload) = $told =~ /notification "ai_models" with payload "(.*?)" received/;
$payload =~ s/'/''/g;
is(sql("select p ->> 'event', p ->> 'run_id' = '$run', p -> 'version_id' = to_jsonb(r.model_version_id), p ->> 'model_name'
    from (select '$payload'::jsonb) q (p), ai_training_runs r where r.id = '$run'"),
    'rejected|t|t|month', 'day 5: listeners are told of the rejection, its run and its version');
is(scalar(() = $told =~ /notification/g), 1, 'day 5: once');

# ---- repair ----------------------------------------------------------------------------------------------------------

sql(q{update ai_training_data set dataset_status = 'rejected' where model_name = 'month' and source = 'imported'});
record_day(501, 640);
review(40);
is(evening('day 6'), 'promoted', 'day 6: without the import the next version is promoted');
isnt(live(), $live, 'day 6: it is live');
is(heard(), 'promoted ' . live(), 'day 6: listeners are told');

record_day(641, 700);
review(40);
is(evening('day 7'), '', 'day 7: a quiet day');

# ---- what it was worth -----------------------------------------------------------------------------------------------

my ($last, $alone) = (macro_f1('month'), macro_f1('alone'));
cmp_ok($last, '>', $first, "macro-F1 rose from $first to $last");
cmp_ok($last, '>', $alone, "and is above the $alone of a model that saw the same messages and no correction");

$listener->close;
log_shows_no_crash($node);
$node->stop;
done_testing();
