# One model in memory for all connections, preloaded library or not: found, pinned, given back, evicted, and done without.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('shared', conf => <<'CONF');
shared_preload_libraries = 'pg_retrain'
pg_retrain.shared_cache_size = 208kB
CONF
my $stats = q{select entries, bytes, pins, capacity from retrain_shared_cache_stats()};

# The artifacts of 'a' and 'b' fit side by side; 'c' fits alone; 'd' does not fit at all.
$node->safe_psql('postgres', <<'SQL');
create function train(p_model text, p_words int) returns text language sql as $$
  select status from train_intent_model(p_model, p_config => '{"preset": "classic", "min_df": 1}', p_promote => 'always',
    p_source => format('select %L || i || %L || md5((n * %s + w)::text) as text, i as intent from unnest(%L::text[]) i,
      generate_series(1, 30) n, generate_series(1, %s) w', 'topic ', ' ', p_words, '{alpha,beta,gamma}', p_words));
$$;
SQL
my %size;
for my $model ([ a => 3 ], [ b => 4 ], [ c => 18 ], [ d => 50 ]) {
    is($node->safe_psql('postgres', "select train('$model->[0]', $model->[1])"), 'completed', "model $model->[0]");
    $size{ $model->[0] } = $node->safe_psql('postgres', "select artifact_bytes from ai_model_versions where model_name = '$model->[0]'");
}
my $room = 208 * 1024;
ok($size{a} + $size{b} + 64 < $room && $size{c} < $room && $size{c} + $size{a} > $room && $size{d} > $room,
    "the sizes are what the test needs: $size{a}, $size{b}, $size{c}, $size{d}");
sub ask { return "select (predict_intent('topic beta', '$_[0]'))::text"; }

is($node->safe_psql('postgres', $stats), "0|0|0|$room", 'nothing is shared before anybody asks');
my ($one, $two) = (session($node), session($node));
my $answer = $one->query_ok(ask('a'));
like($answer, qr/,beta,/, 'the first connection answers');
is($one->query_ok($stats), "1|$size{a}|1|$room", 'and shares its model');
is($two->query_ok(ask('a')), $answer, 'the second answers the same');
is($two->query_ok($stats), "1|$size{a}|2|$room", 'from the same bytes');
cmp_ok($two->query_ok('select bytes from retrain_cache_stats()'), '<', $size{a} + 65536, 'its own memory does not hold them');
$two->query_ok(ask('b'));
is($two->query_ok($stats), '2|' . ($size{a} + $size{b}) . "|3|$room", 'another model has its place beside');

# What somebody uses stays; what nobody uses leaves.
my $third = session($node);
like($third->query_ok(ask('c')), qr/,beta,/, 'without room a connection answers from a copy of its own');
is($third->query_ok($stats), '2|' . ($size{a} + $size{b}) . "|3|$room", 'and what others use stays');
$_->close for $one, $two, $third;
$node->poll_query_until('postgres', 'select pins = 0 from retrain_shared_cache_stats()');
is($node->safe_psql('postgres', $stats), '2|' . ($size{a} + $size{b}) . "|0|$room", 'a connection that ends gives back its pins');
$one = session($node);
$one->query_ok(ask('c'));
is($one->query_ok($stats), "1|$size{c}|1|$room", 'then there is room');
like($one->query_ok(ask('d')), qr/,beta,/, 'a model larger than the whole store is kept by the connection');
is($one->query_ok($stats), "1|$size{c}|1|$room", 'alone');

# The connection's own limit gives back pins too.
$one->query_ok('set pg_retrain.cache_size = 0');
$one->query_ok(ask('a'));
is($one->query_ok($stats), "1|$size{c}|0|$room", 'what leaves the connection\'s cache is unpinned');
$one->query_ok('reset pg_retrain.cache_size');

# A version that is rolled back leaves bytes that nobody asks for, and no answer.
my $before = $one->query_ok(ask('a'));
$one->query_ok('begin');
is($one->query_ok("select train('a', 5)"), 'completed', 'a version in a transaction');
isnt($one->query_ok(ask('a')), $before, 'it answers there');
is($node->safe_psql('postgres', ask('a')), $before, 'not elsewhere');
$one->query_ok('rollback');
is($one->query_ok(ask('a')), $before, 'and no longer after the rollback');

# A live version that cannot be read is never shared.
$node->safe_psql('postgres', q{set session_replication_role = replica;
    update ai_model_versions set artifact = set_byte(artifact, 5000, get_byte(artifact, 5000) # 1) where model_name = 'b'});
$two = session($node);
my $entries = $two->query_ok('select entries from retrain_shared_cache_stats()');
error_is($two->query(ask('b')), 'XX001', qr/corrupt/, 'damaged bytes: XX001') for 1, 2;
is($two->query_ok('select entries from retrain_shared_cache_stats()'), $entries, 'and they are not kept');
$_->close for $one, $two;

# Killed while it holds pins: the server restarts, and starts from nothing.
my $victim = session($node);
$victim->query_ok(ask('c'));
my $pid = $victim->query_ok('select pg_backend_pid()');
kill 9, $pid;
$node->poll_query_until('postgres', 'select true');
$node->poll_query_until('postgres', "select not exists (select from pg_stat_activity where pid = $pid)");
is($node->safe_psql('postgres', $stats), "0|0|0|$room", 'after a crash nothing is shared, nothing is pinned');
like($node->safe_psql('postgres', ask('c')), qr/,beta,/, 'and models answer');

$node->append_conf('postgresql.conf', 'pg_retrain.shared_cache_size = 0');
$node->restart;
like($node->safe_psql('postgres', ask('c')), qr/,beta,/, 'without shared memory each connection has its own');
is($node->safe_psql('postgres', $stats), '0|0|0|0', 'and none is shared');

# A library that is not preloaded makes the memory when it first predicts, with the size that counts then.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''\npg_retrain.shared_cache_size = 208kB");
$node->restart;
like($node->safe_psql('postgres', ask('c')), qr/,beta,/, 'not preloaded');
is($node->safe_psql('postgres', $stats), "1|$size{c}|0|$room", 'and shared');
$node->append_conf('postgresql.conf', 'pg_retrain.shared_cache_size = 448kB');
$node->reload;
ok($node->poll_query_until('postgres', q{select current_setting('pg_retrain.shared_cache_size') = '448kB'}), 'another size');
like($node->safe_psql('postgres', ask('c')), qr/,beta,/, 'new connections predict');
is($node->safe_psql('postgres', $stats), "1|$size{c}|0|$room", 'with the memory that there is');
($one, $two) = (session($node), session($node));
$answer = $one->query_ok(ask('c'));
is($two->query_ok(ask('c')), $answer, 'two connections answer the same');
is($two->query_ok($stats), "1|$size{c}|2|$room", 'from the same bytes');
$two->query_ok('begin');
error_is($two->query('select 1 / 0'), '22012', undef, 'an error in a transaction');
$two->query_ok('rollback');
is($two->query_ok(ask('c')), $answer, 'leaves the memory mapped');
$pid = $one->query_ok('select pg_backend_pid()');
kill 9, $pid;
$node->poll_query_until('postgres', "select not exists (select from pg_stat_activity where pid = $pid)");
is($node->safe_psql('postgres', $stats), '0|0|0|' . 448 * 1024, 'after a crash it is made anew');
like($node->safe_psql('postgres', ask('c')), qr/,beta,/, 'and models answer');

# A server that has no such memory left: each connection has its own model, and the log says so once for each.
$node->append_conf('postgresql.conf', 'pg_retrain.shared_cache_size = 1TB');
$node->restart;
my $log_start = -s $node->logfile;
$one = session($node);
is($one->query_ok(ask('c')), $answer, 'a terabyte is not to be had, and models answer') for 1, 2;
is($one->query_ok($stats), '0|0|0|0', 'none is shared');
my @refusals = substr(slurp_file($node->logfile), $log_start) =~ /LOG: .*works without the shared memory of "pg_retrain models"/g;
is(scalar @refusals, 1, 'the log names what is missing');
$one->close;

# Nor a smaller one, or any at all.
$node->append_conf('postgresql.conf', "pg_retrain.shared_cache_size = 208kB\ndynamic_shared_memory_type = mmap");
$node->restart;
my $segments = $node->data_dir . '/pg_dynshmem';
chmod 0500, $segments or die "chmod: $!";
$one = session($node);
is($one->query_ok(ask('c')), $answer, 'without dynamic memory models answer') for 1, 2;
is($one->query_ok("select train('e', 3)"), 'completed', 'and are trained');
is($one->query_ok($stats), '0|0|0|0', 'with nothing shared');
$one->close;
chmod 0700, $segments or die "chmod: $!";
is($node->safe_psql('postgres', ask('c')), $answer, 'a later connection finds some');
is($node->safe_psql('postgres', $stats), "1|$size{c}|0|$room", 'and shares it');

$node->stop;
done_testing();
