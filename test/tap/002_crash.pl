# A server that dies in the middle of a training comes back with exactly the version that was live before: no run, no
# version, no deployment half written, and what was committed meanwhile is there.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('crash', preload => 1);
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77');
create_watcher($node, 'postgres');

my %quick = (
    model => 'm',
    config => '{"preset": "classic"}',
    source => 'select text, intent, split from banking where id <= 4000',
    promote => 'always');
my (undef, undef, $version) = train($node, 'postgres', %quick);
my $ask = q{select classify_intent('my card has not arrived', 'm'), (predict_intent('my card has not arrived', 'm')).model_version};
my $corrected = q{select predicted_intent, decision_source from predict_intent('Is anybody there?', 'm')};

my $answers = answers($node, 'postgres', 'banking', 'm');
my $counts = counts($node, 'postgres');
my $checksum = $node->safe_psql('postgres',
    q{select md5(string_agg(v::text, '|' order by v.id)) from ai_model_versions v});
my $deployments = $node->safe_psql('postgres', 'select d::text from ai_model_deployments d order by d.id');

# A training over everything that would be promoted without question, caught while it fits.
sub training_in_fit {
    my ($session) = @_;
    my $watcher = session($node);
    my $pid = session_pid($session);
    $session->start(train_sql(model => 'm', source => 'select text, intent, split from banking', promote => 'always'));
    is($watcher->query_ok("select act_in_phase($pid, 'fitting', 'none')"), 'done', 'a training is in the middle of its fit');
    $watcher->close;
    return $pid;
}

# What must be true after any crash.
sub old_version_is_live {
    my ($what) = @_;
    is(counts($node, 'postgres'), $counts, "$what: no run, version or deployment more or less");
    is($node->safe_psql('postgres', q{select md5(string_agg(v::text, '|' order by v.id)) from ai_model_versions v}),
        $checksum, "$what: the versions are as they were");
    is($node->safe_psql('postgres', 'select d::text from ai_model_deployments d order by d.id'), $deployments,
        "$what: so is the history of deployments");
    is($node->safe_psql('postgres', q{select count(*) from ai_training_runs where status not in ('completed', 'failed')}),
        '0', "$what: no run is said to be running");
    ok(answers($node, 'postgres', 'banking', 'm') eq $answers, "$what: every answer is as before");
    is($node->safe_psql('postgres', 'select count(*) from ai_training_progress'), '0', "$what: no training is shown");
    return;
}

# ---- SIGKILL of the training backend ---------------------------------------------------------------------------------

my $trainer = session($node);
my $bystander = session($node);
is($bystander->query_ok($ask), $node->safe_psql('postgres', $ask), 'another session predicts');
my $pid = training_in_fit($trainer);
# Committed while the training runs; a training that dies must not take it along.
$node->safe_psql('postgres', <<'SQL');
select submit_intent_correction(
  record_interaction('Is anybody there?', p_detected_intent => 'wrong', p_model_name => 'm'), 'said_by_a_person')
SQL
is(kill('KILL', $pid), 1, 'the training backend is killed');
ok($trainer->finish->{lost}, 'its session is gone');
# The postmaster ends every session when it learns of the death, a moment later.
my $tries = 0;
$tries++ until $bystander->query('select 1')->{lost} || $tries > 100_000;
cmp_ok($tries, '<=', 100_000, 'the server restarts: the other session is gone too');
ok($node->poll_query_until('postgres', 'select not pg_is_in_recovery()'), 'the server is back');

is($node->safe_psql('postgres', $corrected), 'said_by_a_person|correction', 'the correction is there');
is($node->safe_psql('postgres', 'select count(*) from ai_intent_corrections'), '1', 'once');
old_version_is_live('after SIGKILL');

# ---- immediate shutdown of the server --------------------------------------------------------------------------------

$trainer = session($node);
training_in_fit($trainer);
$node->stop('immediate');
ok($trainer->finish->{lost}, 'an immediate shutdown ends the training');
$node->start;
is($node->safe_psql('postgres', $corrected), 'said_by_a_person|correction', 'the correction is still there');
old_version_is_live('after an immediate shutdown');

# ---- fast shutdown: the training is asked to end ---------------------------------------------------------------------

$trainer = session($node);
training_in_fit($trainer);
$node->stop('fast');
my $result = $trainer->finish;
ok($result->{lost} && ($result->{sqlstate} // '') eq '57P01', 'a fast shutdown ends the training with 57P01')
    or diag($result->{err});
$node->start;
old_version_is_live('after a fast shutdown');

# ---- and on it goes --------------------------------------------------------------------------------------------------

my @trained = train($node, 'postgres', %quick);
is("$trained[0] $trained[1]", 'completed t', 'the next training works');
cmp_ok($trained[2], '>', $version, 'and makes a version with a number of its own');
is($node->safe_psql('postgres', 'select array_agg(id) from ai_model_versions where is_active'), "{$trained[2]}",
    'alone live');
is($node->safe_psql('postgres', $ask),
    $node->safe_psql('postgres', "select classify_intent('my card has not arrived', 'm'), version
      from ai_model_versions where id = $trained[2]"), 'which answers');

log_shows_no_crash($node, qr/\(PID $pid\) was terminated by signal 9/);
done_testing();
