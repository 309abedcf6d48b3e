# A year of messages: what a dashboard and a reviewer ask for is read through indexes, also by the statements inside
# functions, whose plans auto_explain tells.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('plans', conf => <<'CONF');
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = -1
auto_explain.log_nested_statements = on
auto_explain.log_level = 'notice'
max_parallel_workers_per_gather = 0
shared_buffers = 128MB
CONF
$node->safe_psql('postgres', slurp_file(File::Spec->catfile(source_dir(), 'test', 'fixtures', 'year_of_messages.sql'))
        =~ s/:rows/80000/gr);
# A second model with a few messages in the same table.
$node->safe_psql('postgres', <<'SQL');
insert into ai_training_data (user_message, detected_intent, model_name, confidence_score, created_at)
select 'message ' || n, 'a', 'small', n % 101, now() - n * interval '6 hours' from generate_series(1, 1000) n;
select from retrain_ensure_model('small');
vacuum analyze ai_training_data;
SQL

my $session = session($node);
$session->query_ok('set auto_explain.log_min_duration = 0');

# Runs a query and gives its plan and those of every statement below it.
sub plans {
    my ($query) = @_;
    my $result = $session->query($query);
    unlike($result->{err}, qr/ERROR:/, "$query works");
    return $result->{err};
}

# The scans of ai_training_data in plans.
sub scans {
    my ($plans) = @_;
    my @scans = $plans =~ /->\s+(?:Parallel )?((?:Seq|Index|Index Only|Bitmap Heap|Bitmap Index) Scan (?:Backward )?(?:using \w+ )?on ai_training_data\w*)/g;
    return @scans;
}

# Every scan is one of the index named, and there is at least one.
sub read_through {
    my ($query, $indexes, $what) = @_;
    my @scans = scans(plans($query));
    my @others = grep { $_ !~ /^Index(?: Only)? Scan (?:Backward )?using ai_training_data_(?:$indexes)_idx / } @scans;
    cmp_ok(scalar(@scans), '>', 0, "$what reads messages");
    is(join('; ', @others), '', "$what reads them through its indexes");
    return;
}

for my $model ('default', 'small') {
    read_through("select * from v_pending_review where model_name = '$model' limit 50", 'review|rejected', "$model: the first page of the review");
    read_through("select get_live_metrics(24, '$model')", 'created', "$model: live metrics");
    read_through("select get_ai_training_metrics(30, '$model')", 'created|reviewed|rejected|text', "$model: the training metrics");
    read_through("select create_metrics_snapshot('daily', '$model')", 'created|reviewed', "$model: a snapshot");
    read_through("select * from ai_intent_distribution where model_name = '$model'", 'created', "$model: the distribution of intents");
    read_through("select * from v_classification_errors where model_name = '$model' limit 50", 'reviewed', "$model: the wrong answers");
}
read_through('select * from v_pending_review limit 50', 'review|rejected', 'the first page of all models');
read_through('select * from ai_metric_health', 'created', 'the health of the metrics');

# For all models at once, the latest days. PostgreSQL 18 may skip to them from model to model.
my $latest = 'Bitmap Heap Scan on ai_training_data; Bitmap Index Scan on ai_training_data_time_idx';
my $may_skip = $node->safe_psql('postgres', 'show server_version_num') >= 180000;
for my $view (qw(ai_intent_distribution ai_confidence_distribution ai_review_backlog)) {
    my $plans = plans("select * from $view");
    my $skips = ($view eq 'ai_review_backlog' ? 'Index Scan' : 'Index Only Scan')
        . ' using ai_training_data_created_idx on ai_training_data';
    my $skipped = $may_skip && $plans =~ /\Q$skips\E[^\n]*\n\s*Index Cond: \(created_at /;
    my @expected = $skipped ? $skips : $latest;
    # What waits is told from what has been rejected by the index of rejected texts.
    push @expected, 'Index Only Scan using ai_training_data_rejected_idx on ai_training_data' if $view eq 'ai_review_backlog';
    is(join('; ', sort(scans($plans))), join('; ', @expected), "$view reads the latest days of the table");
}

# Where nothing has been trained every message counts as new, up to a limit.
$session->query_ok('delete from ai_training_runs');
read_through('select get_live_metrics(24)', 'created', 'live metrics without a training');

log_shows_no_crash($node);
$node->stop;
done_testing();
