# A streaming standby answers as the primary does: the same texts, the version that its snapshot sees, and it writes
# nothing. Model versions are rows, so whatever moves rows (replay, promotion of the standby) moves the models.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $primary = new_node('primary', streaming => 1);
load_dataset($primary, 'postgres', 'banking', 'intent_en_banking77', 40);

my $source = 'select text, intent, split from banking';
my (undef, undef, $first) =
    train($primary, 'postgres', model => 'm', config => '{"preset": "classic"}', source => $source, promote => 'always');

my $standby = new_standby($primary, 'standby');

# The version that answers, through whatever connection.
my $ask_version = q{select (predict_intent('where is my card', 'm')).model_version};

# ---- the same answers ------------------------------------------------------------------------------------------------

my (undef, undef, $second) =
    train($primary, 'postgres', model => 'm', config => '{"preset": "classic", "c": 0.5}', source => $source,
    promote => 'always');
catch_up($primary, $standby);
my $expected = answers($primary, 'postgres', 'banking', 'm');
cmp_ok(scalar(split /\n/, $expected), '>', 1000, 'the comparison is about many test rows');
ok(answers($standby, 'postgres', 'banking', 'm') eq $expected,
    'predict_intent, classify_intent and explain_intent give the same texts on the standby');

$primary->safe_psql('postgres', <<'SQL');
select train_forecast('sales', $$select date '2024-01-01' + n as ds, 20 + n % 7 + s * 5 as y, 'shop ' || s as series
  from generate_series(0, 199) n, generate_series(1, 3) s$$);
SQL
catch_up($primary, $standby);
my $forecasts = q{select string_agg(f::text, ';' order by series, ds, level) from forecast('sales', 14) f};
is($standby->safe_psql('postgres', $forecasts), $primary->safe_psql('postgres', $forecasts),
    'forecast() gives the same on the standby');

# ---- nothing is written ----------------------------------------------------------------------------------------------

my $call_all = <<'SQL';
select predict_intent('where is my card', 'm'), classify_intent('where is my card', 'm');
select count(*) from predict_intents(array['where is my card', 'top up'], 'm');
select count(*) from explain_intent('where is my card', 'm');
select count(*) from forecast('sales', 3);
SQL
for my $node ($primary, $standby) {
    my $session = session($node);
    my $result = $session->query("begin; $call_all; select coalesce(pg_current_xact_id_if_assigned()::text, 'none'); commit");
    like($result->{out}, qr/^none\z/m, 'predictions assign no transaction id on the ' . $node->name);
    $result = $session->query("begin read only; $call_all; commit");
    ok(!defined $result->{sqlstate}, 'predictions work in a read-only transaction on the ' . $node->name)
        or diag($result->{err});
    $session->close;
}

$primary->safe_psql('postgres', <<'SQL');
insert into ai_training_data (user_message, confidence_score, created_at, model_name)
select 'word' || i % 7, case i % 2 when 0 then 10 else 90 end, now() - i % 2 * interval '20 days', 'drifting' from generate_series(1, 200) i;
SQL
catch_up($primary, $standby);
my $reader = session($standby);
my $versions_before = counts($primary, 'postgres');
error_is($reader->query(train_sql(model => 'm', source => $source)), '25006', undef, 'a standby refuses to train');
error_is($reader->query("select train_forecast('sales')"), '25006', undef, 'a standby refuses to train a forecast');
error_is($reader->query("select verify_model($second)"), '25006', undef, 'a standby refuses to verify');
error_is($reader->query("select record_interaction('where is my card', p_model_name => 'm')"), '25006', undef,
    'a standby refuses to record');
error_is($reader->query("select promote_model($first)"), '25006', undef, 'a standby refuses to promote');
is($reader->query_ok('select string_agg(aspect, \',\') from detect_drift(\'drifting\') where verdict = \'drift\''), 'confidence',
    'a standby finds drift, which it cannot tell to anybody else');
is($reader->query_ok('select classify_intent(\'where is my card\', \'m\') is not null'), 't',
    'the session on the standby goes on');
is(counts($standby, 'postgres'), $versions_before, 'nothing has come of it');

# ---- what replay brings, and when it shows ---------------------------------------------------------------------------

# Names of the versions by number, as the answers carry them.
my %name = map { split /\|/ } split /\n/, $primary->safe_psql('postgres', 'select id, version from ai_model_versions');

is($reader->query_ok($ask_version), $name{$second}, 'the second version answers on the standby');

# An old snapshot keeps its version, however many invalidations arrive meanwhile, and must not keep it a moment longer:
# a cache that is reloaded on invalidation would do it for ever.
my $old = session($standby);
$old->query_ok($ask_version);
$old->query_ok('begin isolation level repeatable read');
is($old->query_ok($ask_version), $name{$second}, 'REPEATABLE READ on the standby: the second version');
$primary->safe_psql('postgres', "select promote_model($first)");
catch_up($primary, $standby);
is($old->query_ok($ask_version), $name{$second}, 'after a promotion on the primary: still the second version');
is($reader->query_ok($ask_version), $name{$first}, 'another session of the standby: the first version');
is($old->query_ok($ask_version), $name{$second}, 'asked again: still the second version');
$old->query_ok('commit');
is($old->query_ok($ask_version), $name{$first}, 'right after its end: the first version');
is($old->query_ok($ask_version), $name{$first}, 'and from then on');

# The other way round: the snapshot is taken first and the model is used for the first time after the promotion.
my $late = session($standby);
$late->query_ok('begin isolation level repeatable read; select count(*) from ai_models');
$primary->safe_psql('postgres', "select rollback_model('m')");
catch_up($primary, $standby);
is($late->query_ok($ask_version), $name{$first}, 'first use under an old snapshot: the version of the snapshot');
$late->query_ok('commit');
is($late->query_ok($ask_version), $name{$second}, 'right after its end: the version rolled back to');
is($reader->query_ok($ask_version), $name{$second}, 'a rollback shows after replay');

# A promotion that is taken back leaves no trace, though its rows have been replayed.
my $writer = session($primary);
$writer->query_ok("begin; select promote_model($first)");
is($writer->query_ok($ask_version), $name{$first}, 'an uncommitted promotion shows in its own transaction');
$primary->safe_psql('postgres', 'create table replayed ()');
catch_up($primary, $standby);
is($reader->query_ok($ask_version), $name{$second}, 'it does not show on the standby');
$writer->query_ok('rollback');
catch_up($primary, $standby);
is($reader->query_ok($ask_version), $name{$second}, 'nor after its rollback');
is($writer->query_ok($ask_version), $name{$second}, 'nor in the session that rolled it back');

# Rounds: primary and standby agree after each change.
my @wrong;
for my $round (1 .. 10) {
    my $target = $round % 2 ? $first : $second;
    $writer->query_ok("select promote_model($target)");
    catch_up($primary, $standby);
    for my $session ($writer, $reader, $old, $late) {
        my $answer = $session->query_ok($ask_version);
        push @wrong, "round $round: $answer instead of $name{$target}" if $answer ne $name{$target};
    }
}
is(join("\n", @wrong), '', 'ten promotions show in three sessions of the standby as in that of the primary');

# A correction answers at once where it was made, and after replay on the standby.
my $corrected = q{select predicted_intent, decision_source from predict_intent('Where is my card?!', 'm')};
my $before = $reader->query_ok($corrected);
$writer->query_ok(<<'SQL');
select submit_intent_correction(
  record_interaction('Where is my card?!', p_detected_intent => 'wrong', p_model_name => 'm'), 'said_by_a_person')
SQL
is($writer->query_ok($corrected), 'said_by_a_person|correction', 'a correction answers on the primary');
catch_up($primary, $standby);
is($reader->query_ok($corrected), 'said_by_a_person|correction', 'and after replay on the standby');
isnt($before, 'said_by_a_person|correction', 'where the model answered before');

# ---- the standby becomes a primary -----------------------------------------------------------------------------------

$expected = answers($primary, 'postgres', 'banking', 'm');
my $last = $reader->query_ok($ask_version);
$primary->stop('fast');
$standby->promote;
is($reader->query_ok($ask_version), $last, 'a session that was open through the promotion goes on with its model');
ok(answers($standby, 'postgres', 'banking', 'm') eq $expected, 'the promoted standby gives the same texts');
my $trained = $reader->query(train_sql(model => 'm', config => '{"preset": "classic"}', source => $source,
        promote => 'always'));
like($trained->{out}, qr/^completed\|t\|\d+\|-$/m, 'the promoted standby trains in the same session') or diag($trained->{err});
isnt($reader->query_ok($ask_version), $last, 'and its new version answers');
is($standby->safe_psql('postgres', 'select max(id) > ' . $second . ', count(*) filter (where is_active) from ai_model_versions where model_name = \'m\''),
    't|1', 'with a number of its own, alone live');

log_shows_no_crash($primary);
log_shows_no_crash($standby);
done_testing();
