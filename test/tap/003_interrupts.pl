# Cancel, statement_timeout and pg_terminate_backend in every phase of a training, and in the middle of a huge message:
# the right SQLSTATE, nothing written, no thread and no memory left behind, and a session that goes on.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

plan skip_all => 'needs /proc' unless -d '/proc/self/task';

my $node = new_node('interrupts', preload => 1, steady_malloc => 1);
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77');
load_dataset($node, 'postgres', 'small', 'intent_es_nlpjs_support');
create_watcher($node, 'postgres');
$node->safe_psql('postgres', <<'SQL');
-- About 10 MB each: one of many different words, one without a single space, one of combining marks.
create table huge (name text, body text);
alter table huge alter column body set storage external;
insert into huge values
  ('words', (select string_agg('word' || n, ' ') from generate_series(1, 950000) n)),
  ('one token', repeat('abcdefghij', 1000000)),
  ('marks', 'e' || repeat(U&'\0301', 5000000));
SQL
my (undef, undef, $version) =
    train($node, 'postgres', model => 'm', config => '{"preset": "classic"}',
    source => 'select text, intent, split from banking where id % 3 = 0', promote => 'always');

my $watcher = session($node);

# What the training of each phase reads: long enough there to be caught, short elsewhere.
my $all = 'select text, intent, split from banking';
my %source = (
    'reading rows' => "$all, generate_series(1, 5)",
    'weighting features' => $all,
    'fitting' => $all,
    'calibrating' => "$all where id % 3 = 0",
    'evaluating' => "select text, intent, 'train' as split from banking where id % 4 = 0 "
        . 'union all select text || n, intent, \'test\' from banking, generate_series(1, 2) n',
);
my %config = (
    'calibrating' => '{"preset": "classic"}',
    'evaluating' => '{"preset": "classic"}',
);

# A session whose trainings use threads.
sub trainer {
    my $session = session($node);
    $session->query_ok('set pg_retrain.max_threads = 4');
    return $session;
}

# Starts a training and ends it in that phase, again until it was caught there; a training that was faster counts only as
# a reason to try again. In the given session, or in a new one for each try. Gives the result and the counts from before,
# or nothing.
sub ended_in_phase {
    my ($phase, $action, $given) = @_;
    for my $try (1 .. 20) {
        my $session = $given // trainer();
        my $pid = session_pid($session);
        my $before = counts($node, 'postgres');
        $session->start(train_sql(model => 'm', promote => 'never', source => $source{$phase},
                defined $config{$phase} ? (config => $config{$phase}) : ()));
        my $did = $watcher->query_ok("select act_in_phase($pid, '$phase', '$action')");
        my $result = $session->finish;
        $session->close unless defined $given;
        return ($result, $before) if $did eq 'done' && ($result->{lost} || defined $result->{sqlstate});
        # A cancel that came too late may hit this instead.
        $session->query('select 1') if defined $given;
    }
    return;
}

# These last long enough on any machine; the others may be over before anybody looks.
sub must_be_caught {
    my ($phase) = @_;
    return $phase eq 'reading rows' || $phase eq 'fitting';
}

sub nothing_left {
    my ($what, $before) = @_;
    is(counts($node, 'postgres'), $before, "$what: nothing is written");
    ok($node->poll_query_until('postgres', 'select count(*) = 0 from ai_training_progress'),
        "$what: it is no longer shown as running");
    return;
}

# ---- pg_cancel_backend, in one session that goes on ------------------------------------------------------------------

my $session = trainer();
my $pid = session_pid($session);
my $threads = thread_count($pid);
for my $phase ('reading rows', 'weighting features', 'fitting', 'calibrating', 'evaluating') {
    my ($result, $before) = ended_in_phase($phase, 'cancel', $session);
    SKIP: {
        skip "no training was caught $phase", 4 if !defined $result && !must_be_caught($phase);
        error_is($result // {}, '57014', qr/^canceling statement due to user request/, "cancelled $phase: 57014");
        nothing_left("cancelled $phase", $before);
        is(thread_count($pid), $threads, "cancelled $phase: no thread is left");
    }
}
is($session->query_ok(q{select (predict_intent('my card has not arrived', 'm')).predicted_intent is not null}), 't',
    'the session predicts after all of it');

# ---- pg_terminate_backend --------------------------------------------------------------------------------------------

for my $phase ('reading rows', 'weighting features', 'fitting', 'calibrating', 'evaluating') {
    my ($result, $before) = ended_in_phase($phase, 'terminate');
    SKIP: {
        skip "no training was caught $phase", 3 if !defined $result && !must_be_caught($phase);
        ok($result->{lost} && ($result->{sqlstate} // '') eq '57P01', "terminated $phase: 57P01")
            or diag($result->{err} // 'never caught');
        nothing_left("terminated $phase", $before);
    }
}
is($session->query_ok('select 1'), '1', 'other sessions never noticed');

# ---- in the middle of a huge message ---------------------------------------------------------------------------------

my $before = counts($node, 'postgres');
for my $name ('words', 'one token', 'marks') {
    my $predict = "select (predict_intent(body, 'm')).model_trained from huge where name = '$name'";
    is($session->query_ok($predict), 't', "10 MB, $name: predict_intent answers");
    my $result = $session->query("set statement_timeout = 10; $predict; reset statement_timeout");
    error_is($result, '57014', qr/^canceling statement due to statement timeout/, "10 MB, $name: it can time out");

    # The first fetch of rows is reported; what the trainer then analyses is huge.
    $session->start(train_sql(model => 'm', promote => 'never', source => <<"SQL"));
(select text, intent, split from banking limit 200)
union all select body || n, 'huge', 'train' from huge, generate_series(1, 8) n where name = '$name'
SQL
    is($watcher->query_ok("select act_in_phase($pid, 'reading rows', 'cancel')"), 'done', "10 MB, $name: a training reads");
    error_is($session->finish, '57014', undef, "10 MB, $name: the training is cancelled");
    $result = $session->query('set statement_timeout = 100; ' . train_sql(model => 'm', promote => 'never',
            source => "select body || n as text, 'huge' as intent from huge, generate_series(1, 30) n where name = '$name'")
        . '; reset statement_timeout');
    error_is($result, '57014', qr/statement timeout/, "10 MB, $name: the training times out");
    is(thread_count($pid), $threads, "10 MB, $name: no thread is left");
}
nothing_left('huge messages', $before);
$session->close;

# ---- cancelled trainings by the hundred in one session --------------------------------------------------------------------------

# The moments are random, but the same in every run.
my $random = 42;

sub random_below {
    my ($below) = @_;
    $random = ($random * 1103515245 + 12345) % 2**31;
    return int($random / 2**16) % $below;
}

$session = session($node);
$pid = session_pid($session);
$session->query_ok('set pg_retrain.max_threads = 2; set pg_retrain.progress = on');
$before = counts($node, 'postgres');
# A training that reads for long, one that weighs and fits, and one that is over in a few milliseconds.
my @choice = (
    [ 60, 'select text, intent, split from banking' ],
    [ 60, 'select text, intent, split from banking where id % 20 = 0' ],
    [ 25, 'select text, intent, split from small' ]);
# All that a training and a failure load once is loaded before memory is compared.
$session->query_ok('begin; ' . train_sql(model => 'm', promote => 'always', source => $_->[1]) . '; rollback') for @choice;
my ($cancelled, $completed, @memory, %phases, @strange) = (0, 0);
while ($cancelled < 260 && $cancelled + $completed < 1000 && @strange < 5) {
    my ($below, $rows) = @{ $choice[ random_below(scalar @choice) ] };
    my $sql = 'set statement_timeout = ' . (1 + random_below($below)) . "; begin;\n"
        . train_sql(model => 'm', promote => 'never', source => $rows)
        . ";\nrollback; reset statement_timeout";
    my $result = $session->query($sql);
    if ($result->{lost}) {
        push @strange, "the connection is lost: $result->{err}";
        last;
    }
    if (!defined $result->{sqlstate}) {
        ++$completed;
        next;
    }
    # On a busy machine the timeout may end the ROLLBACK, too.
    my $ended = $session->query('rollback; reset statement_timeout');
    $ended = $session->query('rollback; reset statement_timeout') while defined $ended->{sqlstate} && !$ended->{lost};
    if ($result->{sqlstate} ne '57014') {
        push @strange, $result->{err};
        next;
    }
    my @said = $result->{err} =~ /NOTICE:.*training: ([a-z ]+),/g;
    ++$phases{ @said ? $said[-1] : 'before the first row' };
    # The first 60 fill caches.
    push @memory, [ $cancelled, memory_kb($pid) ] if ++$cancelled > 60;
}
is(join("\n", @strange), '', 'every training in a storm of timeouts completes or is cancelled');
is($cancelled, 260, '260 trainings were cancelled');
note("$cancelled cancelled, $completed completed; last phase reported: "
        . join(', ', map { "$_ $phases{$_}" } sort keys %phases));
is(thread_count($pid), 1, 'no thread is left');
nothing_left('a storm of timeouts', $before);
my $growth = slope_kb(100, @memory);
cmp_ok($growth, '<=', 40, 'memory stays flat over 200 cancelled trainings')
    or diag(join(' ', map { "$_->[0]:$_->[1]" } @memory));
note("$growth kB in 100");
is($session->query_ok(q{select (predict_intent('my card has not arrived', 'm')).predicted_intent is not null}), 't',
    'the session predicts');

# ---- 1,000 failing calls of each kind --------------------------------------------------------------------------------

# Called at top level: a PL/pgSQL block would clean up behind each error by its own subtransaction.
my %failing = (
    'an unknown configuration key' =>
        [ '22023', q{select train_intent_model('m', p_config => '{"no_such_key": 1}', p_source => 'select text, intent from small')} ],
    'a corrupt artifact' => [
        'XX001',
        qq{select retrain_artifact_info(set_byte(artifact, 5000, get_byte(artifact, 5000) # 1)) from ai_model_versions where id = $version} ],
    'an unknown version' => [ '42704', q{select predict_intent('hello', 'm', p_version_id => 999999)} ],
    'an error inside p_source' =>
        [ '22012', q{select train_intent_model('m', p_source => 'select text, intent, 1 / (id - 3) as weight from small')} ],
);
$session->query_ok('set pg_retrain.progress = off');
for my $kind (sort keys %failing) {
    my ($sqlstate, $sql) = @{ $failing{$kind} };
    my (@points, %seen);
    for my $batch (1 .. 12) {
        my $result = $session->query("$sql;\n" x 100);
        ++$seen{$_} for $result->{err} =~ /(?:ERROR|FATAL):\s+(\w{5}):/g;
        last if $result->{lost};
        push @points, [ $batch * 100, memory_kb($pid) ] if $batch > 2;
    }
    is(join(' ', map { "$_ x $seen{$_}" } sort keys %seen), "$sqlstate x 1200", "$kind: the same error each time");
    my $slope = slope_kb(1000, @points);
    cmp_ok($slope, '<=', 64, "$kind: memory stays flat over 1,000 failures")
        or diag(join(' ', map { "$_->[0]:$_->[1]" } @points));
    note("$slope kB in 1,000");
}
is(counts($node, 'postgres'), $before, 'failing calls write nothing');

log_shows_no_crash($node);
done_testing();
