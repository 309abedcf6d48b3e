# Eight connections assign the same units at once: one row for each unit, and everybody is told the same variant. A replica
# gives the same answers and results without writing. An outcome with a key is recorded once, whoever sends it again.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $clients = 8;
my $units = 200;
my $node = new_node('experiments', streaming => 1);
$node->safe_psql('postgres', <<'SQL');
create table answers (unit text, variant text, exposed text, outcome text);
select create_experiment('shop', '{"control": 0.5, "new": 0.3, "newest": 0.2}', '["revenue"]', p_salt => 's');
SQL

# Every client walks through the same units in the same order, so that they meet at them.
my $script = $node->basedir . '/assign.pgbench';
append_to_file($script, <<'SQL');
\set n :n + 1
insert into answers
select 'u' || :n, assign_variant('shop', 'u' || :n), record_exposure('shop', 'u' || :n) ->> 'variant',
  record_outcome('shop', 'u' || :n, '{"revenue": 5}', p_idempotency_key => 'order ' || :n) ->> 'variant';
SQL
$node->command_ok(
    [ 'pgbench', '--no-vacuum', "--client=$clients", '--jobs=2', "--transactions=$units", '--define=n=0', "--file=$script",
        'postgres' ],
    'all calls succeed');
is($node->safe_psql('postgres', 'select count(*), count(distinct unit), count(distinct (unit, variant, exposed, outcome)) from answers'),
    $clients * $units . "|$units|$units", 'everybody is told the same variant of a unit');
is($node->safe_psql('postgres', 'select count(*), count(distinct unit_id) from ai_experiment_assignments'), "$units|$units",
    'one assignment for each unit');
is($node->safe_psql('postgres', 'select count(*) from answers a join ai_experiment_assignments g on g.unit_id = a.unit and g.variant = a.variant'),
    $clients * $units, 'and it is the one that was told');
is($node->safe_psql('postgres', 'select count(*) from ai_experiment_exposures'), $units, 'one exposure for each unit');
is($node->safe_psql('postgres', 'select count(*), sum((outcome ->> \'revenue\')::int) from ai_experiment_outcomes'),
    "$units|" . 5 * $units, 'one outcome for each key');

# The same in bulk: whole lists at once, in different orders.
my $bulk = $node->basedir . '/bulk.pgbench';
append_to_file($bulk, <<'SQL');
insert into answers
select unit_id, variant from assign_variants('shop', array(select 'b' || i from generate_series(1, 500) i order by random()));
SQL
$node->safe_psql('postgres', 'truncate answers');
$node->command_ok(
    [ 'pgbench', '--no-vacuum', "--client=$clients", '--jobs=2', '--transactions=5', "--file=$bulk", 'postgres' ],
    'lists are assigned without a deadlock');
is($node->safe_psql('postgres', 'select count(*), count(distinct unit), count(distinct (unit, variant)), count(variant) from answers'),
    $clients * 5 * 500 . '|500|500|' . $clients * 5 * 500, 'everybody is told the same variants');

# A transaction that is not finished: whoever comes second waits and is told what was decided.
my $first = session($node);
my $second = session($node);
$first->query_ok('begin');
my $variant = $first->query_ok(q{select assign_variant('shop', 'together')});
$first->query_ok('rollback');
is($second->query_ok(q{select assign_variant('shop', 'together')}), $variant, 'an assignment that was rolled back is made again, the same');
$first->query_ok('begin isolation level repeatable read; select count(*) from ai_experiments');
is($second->query_ok(q{select assign_variant('shop', 'old snapshot')}), $first->query_ok(q{select get_variant('shop', 'old snapshot')}),
    'an old snapshot that does not see the assignment gives the same variant');
$first->query_ok('rollback');
$_->close for $first, $second;

# ---- a replica ---------------------------------------------------------------------------------------------------------

my $standby = new_standby($node, 'replica');
catch_up($node, $standby);
my $variants = q{select string_agg(get_variant('shop', 'u' || i), ',' order by i) from generate_series(1, 400) i};
is($standby->safe_psql('postgres', $variants), $node->safe_psql('postgres', $variants), 'a replica gives the same variants, of new units too');
my $results = q{select string_agg(r::text, ',') from get_experiment_results('shop') r};
is($standby->safe_psql('postgres', $results), $node->safe_psql('postgres', $results), 'and the same results');
like($standby->safe_psql('postgres', q{select experiment_report('shop')}), qr/^# Experiment: shop/, 'and the report');
my ($status, $out, $err) = $standby->psql('postgres', q{select assign_variant('shop', 'u1000')});
like($err, qr/cannot execute INSERT in a read-only transaction/, 'only assigning needs the primary');
is($standby->safe_psql('postgres', q{select assign_variant('shop', 'u1')}), $node->safe_psql('postgres', q{select assign_variant('shop', 'u1')}),
    'unless the unit is assigned already');

log_shows_no_crash($node);
log_shows_no_crash($standby);
done_testing();
