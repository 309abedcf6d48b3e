# Limits: the training budget, the size of the model cache, and what the operating system refuses (memory, threads).
# Each ends in 53200 or in the same result with less, never in a lost connection.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('limits');
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77');
load_dataset($node, 'postgres', 'small', 'intent_es_nlpjs_support');
my $source = 'select text, intent, split from banking';

# ---- pg_retrain.training_memory --------------------------------------------------------------------------------------

my $session = session($node);
my $pid = session_pid($session);
my $before = counts($node, 'postgres');
my ($refused, $limit, $result, @wrong) = (0, 1);
for (; $limit <= 4096; $limit *= 2) {
    $result = $session->query("set pg_retrain.training_memory = '${limit}MB'; " . train_sql(model => 'm', source => $source,
            promote => 'always'));
    last if !defined $result->{sqlstate};
    ++$refused;
    my ($need, $allowed) = "$result->{message} $result->{detail}" =~ /needs (\d+) MB, pg_retrain\.training_memory is (\d+) MB/;
    push @wrong, "$limit MB: $result->{err}"
        unless $result->{sqlstate} eq '53200' && defined $need && $need > $limit && $allowed == $limit
        && ($result->{hint} // '') =~ /training_memory/;
}
is(join("\n", @wrong), '', 'a training that needs more than its budget is refused with 53200, which names both numbers');
cmp_ok($refused, '>=', 2, 'at least 1 MB and 2 MB are refused');
like($result->{out}, qr/^completed\|t\|\d+\|/m, "with $limit MB the same training works") or diag($result->{err});
(my $after = $before) =~ s/^0\|0\|0\|0\|0$/1|1|1|1|1/;
is(counts($node, 'postgres'), $after, 'and is the only one that is recorded');
error_is($session->query("set pg_retrain.training_memory = '1kB'"), '22023', undef, 'a budget below 1 MB is no budget');
$session->query_ok('reset pg_retrain.training_memory');

# Few rows can be large: the budget has to hold between any two of them, whether it is their words that need the memory
# or the rows themselves, fetched by the hundred.
SKIP: {
    skip 'needs /proc', 1 unless slurp_file("/proc/$pid/status") =~ /^VmHWM:/m;
    $node->safe_psql('postgres', <<'SQL');
create table wordy as
select 'intent ' || g % 2 as intent, (select string_agg('w' || g || 'x' || n, ' ') from generate_series(1, 100000) n) as text
from generate_series(1, 25) g;
SQL
    my %large = (
        '25 rows of 100,000 words each' => 'select text, intent, \'train\' as split from wordy',
        '200 rows of 1 MB each' =>
            q{select repeat('abc ', 250000) || n as text, 'intent ' || n % 2 as intent, 'train' as split from generate_series(1, 200) n},
    );
    for my $what (sort keys %large) {
        my $fresh = session($node);
        my $of = session_pid($fresh);
        my $peak = sub { return slurp_file("/proc/$of/status") =~ /^VmHWM:\s+(\d+) kB/m ? int($1 / 1024) : die 'no VmHWM' };
        my $at_rest = $peak->();
        error_is($fresh->query("set pg_retrain.training_memory = '16MB'; "
                    . train_sql(model => 'large', config => '{"preset": "classic"}', source => $large{$what})),
            '53200', qr/pg_retrain\.training_memory is 16 MB/, "$what: more than the budget of 16 MB");
        cmp_ok($peak->() - $at_rest, '<=', 128, "$what: refused before the process grew by 128 MB");
        $fresh->close;
    }
}

# ---- pg_retrain.cache_size -------------------------------------------------------------------------------------------

my @models = map { "cached_$_" } 1 .. 4;
for my $i (1 .. 4) {
    train($node, 'postgres', model => "cached_$i", config => qq({"preset": "classic", "c": 0.${i}}), promote => 'always',
        source => 'select text, intent, split from small');
}
my $ask_all = join ' union all ',
    map { "select '$_', md5(string_agg(p::text, '|' order by s.id)) from small s, predict_intent(s.text, '$_') p" } @models;
my $large = session($node);
my $expected = $large->query_ok($ask_all);
is((split /\|/, $large->query_ok('select * from retrain_cache_stats()'))[0], 4, 'a large cache holds four models');
is((split /\|/, $large->query_ok('select * from retrain_cache_stats()'))[4], 0, 'and evicts none');

my $tiny = session($node);
$tiny->query_ok('set pg_retrain.cache_size = 0');
for my $round (1 .. 3) {
    is($tiny->query_ok($ask_all), $expected, "round $round with no cache at all: the same answers");
}
my ($entries, $bytes, $hits, $misses, $evictions) = split /\|/, $tiny->query_ok('select * from retrain_cache_stats()');
is($entries, 1, 'the model in use stays, alone');
cmp_ok($evictions, '>=', 11, 'the others were evicted');
is($misses, $evictions + $entries, 'every model that was read is in the cache or was evicted');
cmp_ok($bytes, '>', 0, 'what is held is counted');
# In one statement, the models taking turns row by row.
is($tiny->query_ok(<<'SQL'), '0', 'models that take turns in one statement answer as alone');
select count(*) from small s
where classify_intent(s.text, 'cached_' || 1 + s.id % 4)
  is distinct from (predict_intent(s.text, 'cached_' || 1 + s.id % 4)).predicted_intent
SQL
my $half = int($bytes * 2.5 / 1024);
$tiny->query_ok("set pg_retrain.cache_size = ${half}");
is($tiny->query_ok($ask_all), $expected, 'a cache of two models and a half: the same answers');
($entries, $bytes) = split /\|/, $tiny->query_ok('select * from retrain_cache_stats()');
is($entries, 2, 'it holds two');
cmp_ok($bytes, '<=', $half * 1024, 'within its size');
$_->close for $large, $tiny;

# ---- what the operating system refuses -------------------------------------------------------------------------------

SKIP: {
    skip 'needs prlimit and /proc', 1 unless have_program('prlimit') && -r "/proc/$pid/limits";

    # A soft limit on one process of the same user; it can be taken back.
    my $restrict = sub {
        my ($of, @limits) = @_;
        system('prlimit', '--pid', $of, @limits) == 0 or die "prlimit failed";
    };
    my $soft_limit = sub {
        my ($of, $name) = @_;
        return slurp_file("/proc/$of/limits") =~ /^$name\s+(\w+)\s/m ? $1 : die "no limit $name";
    };
    my $address_space = sub {
        my ($of) = @_;
        return slurp_file("/proc/$of/status") =~ /^VmSize:\s+(\d+) kB/m ? $1 * 1024 : die 'no VmSize';
    };

    my %normal = (as => $soft_limit->($pid, 'Max address space'), nproc => $soft_limit->($pid, 'Max processes'));

    # Memory, with room for more and more of a training, each in a process that has grown by nothing else.
    my $counts = counts($node, 'postgres');
    my (@codes, @lost);
    for my $room (1, 2, 4, 6, 8, 12, 16) {
        my $fresh = session($node);
        my $of = session_pid($fresh);
        $fresh->query_ok(q{select predict_intent('my card', 'm')});
        $restrict->($of, '--as=' . ($address_space->($of) + $room * 1024 * 1024) . ':');
        $result = $fresh->query(train_sql(model => 'm', source => $source, promote => 'never'));
        $restrict->($of, "--as=$normal{as}:");
        push @codes, $result->{sqlstate} // 'ok';
        push @lost, "$room MB: $result->{err}" if $result->{lost} || ($result->{sqlstate} // '53200') ne '53200';
        my $answer = $result->{lost} ? {} : $fresh->query(q{select (predict_intent('my card', 'm')).model_trained});
        push @lost, "$room MB: the session does not go on" if ($answer->{out} // '') ne 't';
        $node->safe_psql('postgres', 'select drop_model_version(max(id)) from ai_model_versions; '
                . 'delete from ai_training_runs where model_version_id not in (select id from ai_model_versions)')
            unless defined $result->{sqlstate};
        $fresh->close;
    }
    is(join("\n", @lost), '', 'memory refused in the middle of a training: 53200');
    cmp_ok(scalar(grep { $_ eq '53200' } @codes), '>=', 3, 'it was refused at several points') or diag("@codes");
    note("@codes");
    is(counts($node, 'postgres'), $counts, 'nothing is written');
    like($session->query_ok(train_sql(model => 'm', config => '{"preset": "classic"}', source => $source, promote => 'always')),
        qr/^completed\|t\|/m, 'the next training works');

    # Memory for a model that is not in the cache yet.
    my $cold = session($node);
    my $cold_pid = session_pid($cold);
    $cold->query_ok("select classify_intent('hola', 'cached_1')");
    $restrict->($cold_pid, '--as=' . ($address_space->($cold_pid) + 64 * 1024) . ':');
    $result = $cold->query(q{select (predict_intent('my card', 'm')).predicted_intent from generate_series(1, 2)});
    $restrict->($cold_pid, "--as=$normal{as}:");
    error_is($result, '53200', undef, 'memory refused to a model that is loaded: 53200');
    is($cold->query_ok(q{select predict_intent('my card', 'm')::text}),
        $session->query_ok(q{select predict_intent('my card', 'm')::text}), 'the session answers right afterwards');
    $cold->close;

    # Threads. The most that are seen while a training runs, and what comes of it.
    my $run = sub {
        my ($name) = @_;
        $session->start(train_sql(model => $name, source => $source, promote => 'always'));
        my $most = 0;
        until ($session->ended) {
            my $now = thread_count($pid);
            $most = $now if $now > $most;
        }
        my $trained = $session->finish;
        like($trained->{out}, qr/^completed\|t\|/m, "training \"$name\" works") or diag($trained->{err});
        return $most;
    };
    $session->query_ok('set pg_retrain.max_threads = 4');
    cmp_ok($run->('threads_allowed'), '>', 1, 'it has threads of its own');
    $restrict->($pid, '--nproc=1:');
    is($soft_limit->($pid, 'Max processes'), 1, 'the backend may start no thread');
    is($run->('threads_refused'), 1, 'and has none');
    $restrict->($pid, "--nproc=$normal{nproc}:");
    $session->query_ok('set pg_retrain.max_threads = 1');
    $run->('one_thread');
    is($session->query_ok(q{select count(*), count(distinct artifact_sha256) from ai_model_versions where model_name like '%thread%'}),
        '3|1', 'with four threads, one, and four that are refused: the same artifact');
}

log_shows_no_crash($node);
done_testing();
