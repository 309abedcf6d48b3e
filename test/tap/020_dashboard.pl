# The dashboard: every query of it runs as a reader, gives rows and the columns that its kind of panel draws. An alert
# reaches a session that listens, once.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use File::Spec;
use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('dashboard');
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77', 5);

# ---- a model with a past ---------------------------------------------------------------------------------------------

my @trained = train($node, 'postgres', model => 'bank', source => 'select text, intent, split from banking', config => '{"preset": "classic"}');
is("$trained[0] $trained[1]", 'completed t', 'a model is trained');
train($node, 'postgres', model => 'bank', source => 'select text, intent from banking where id < 10');
$node->safe_psql('postgres', <<'SQL');
insert into ai_training_data (user_message, detected_intent, confidence_score, model_name, created_at, escalated)
select text, intent, 30 + id % 70, 'bank', now() - (id % 14) * interval '1 day', id % 3 = 0 from banking where split = 'train';
-- Every test row that the model gets wrong is shown as an error only when there is one: make one.
update ai_training_runs set confusion_matrix = jsonb_set(confusion_matrix, array[(select min(intent) from banking), 'something else'], '1')
where status = 'completed' and model_name = 'bank';
select submit_intent_correction(id, 'another intent') from ai_training_data where model_name = 'bank' order by user_message limit 5;
select submit_intent_correction(id, detected_intent) from ai_training_data where model_name = 'bank' and not corrected_by_human order by user_message limit 5;
select create_metrics_snapshot('daily', 'bank');
create role viewer login;
select grant_retrain_access('viewer', 'reader', 'bank');
select grant_retrain_access('viewer', 'predictor', 'bank');
SQL

# ---- the queries -----------------------------------------------------------------------------------------------------

my $file = File::Spec->catfile(source_dir(), 'dashboards', 'pg_retrain.json');
my $dashboard = decode_json(slurp_file($file));
my @rows = map { $_->{title} } grep { $_->{type} eq 'row' } @{ $dashboard->{panels} };
is("@rows", 'Metrics Review Errors Intents Training Test', 'it has the six tabs');
my @ids = map { $_->{id} } @{ $dashboard->{panels} };
my %ids = map { $_ => 1 } @ids;
is(scalar(keys %ids), scalar(@ids), 'every panel has an id of its own');

# What Grafana puts in the place of its macros and variables.
sub as_grafana {
    my ($sql) = @_;
    $sql =~ s/\$__timeFilter\((\w+)\)/$1 between now() - interval '30 days' and now() + interval '1 day'/g;
    $sql =~ s/\$\{model:sqlstring\}/'bank'/g;
    $sql =~ s/\$\{message:sqlstring\}/'my card isn''t working'/g;
    return $sql;
}

my $numeric = qr/^(smallint|integer|bigint|real|double precision|numeric)$/;
# For each kind of panel: what the types of the columns, in their order and separated by commas, have to look like.
my %shape = (
    stat => sub { grep { $_ =~ $numeric } @{ $_[0] } },
    gauge => sub { grep { $_ =~ $numeric } @{ $_[0] } },
    barchart => sub { $_[0][0] eq 'text' && grep { $_ =~ $numeric } @{ $_[0] } },
    piechart => sub { $_[0][0] eq 'text' && grep { $_ =~ $numeric } @{ $_[0] } },
    timeseries => sub {
        $_[1][0] eq 'time' && $_[0][0] eq 'timestamp with time zone' && @{ $_[0] } > 1
            && @{ $_[0] } == 1 + grep { $_ =~ $numeric } @{ $_[0] };
    },
    table => sub { @{ $_[0] } > 0 },
    annotation => sub { $_[1][0] eq 'time' && $_[1][1] eq 'text' },
    variable => sub { @{ $_[0] } == 1 && $_[0][0] eq 'text' },
);

my @queries;
for my $panel (grep { $_->{type} ne 'row' } @{ $dashboard->{panels} }) {
    push @queries, [ $panel->{type}, $panel->{title}, $_->{rawSql}, $_->{format} ] for @{ $panel->{targets} };
}
push @queries, [ 'annotation', $_->{name}, $_->{target}{rawSql} ] for @{ $dashboard->{annotations}{list} };
push @queries, [ 'variable', $_->{name}, $_->{query} ] for grep { $_->{type} eq 'query' } @{ $dashboard->{templating}{list} };
cmp_ok(scalar(@queries), '>=', 20, 'it has queries');

for my $query (@queries) {
    my ($type, $title, $raw, $format) = @$query;
    my $sql = as_grafana($raw);
    unlike($sql, qr/\$/, "$title: no macro or variable is left");
    my $connection = $node->connstr('postgres') . ' user=viewer';
    # \gdesc names the columns with their types.
    my ($description, $err) = ('', '');
    my $status = $node->psql('postgres', "$sql \\gdesc", stdout => \$description, stderr => \$err, connstr => $connection);
    is("$status$err", '0', "$title: the query is right for a reader");
    my @columns = map { [ split /\|/ ] } split /\n/, $description;
    ok($shape{$type}, "$title: the kind of panel is known ($type)") or next;
    ok($shape{$type}->([ map { $_->[1] } @columns ], [ map { $_->[0] } @columns ]), "$title: its columns suit a $type")
        or diag($description);
    is($format, $type eq 'timeseries' ? 'time_series' : 'table', "$title: its format suits a $type") if defined $format;
    my $out = '';
    $status = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, connstr => $connection);
    is("$status$err", '0', "$title: it runs");
    isnt($out, '', "$title: it gives rows");
}

# ---- what the panels say ---------------------------------------------------------------------------------------------

sub panel {
    my ($title) = @_;
    my ($found) = grep { $_->{title} eq $title } @{ $dashboard->{panels} };
    return as_grafana($found->{targets}[0]{rawSql});
}

# A day on which the confidence of few messages is known weighs as much as those messages.
$node->safe_psql('postgres', <<'SQL');
update ai_training_data set confidence_score = case when user_message like '%a%' then null else 1 end
where model_name = 'bank' and created_at > now() - interval '12 hours';
SQL
my $average = 'round(avg(confidence_score), 1)';
my $wanted = $node->safe_psql('postgres', <<"SQL");
select detected_intent, $average from ai_training_data where model_name = 'bank' and source = 'live' group by 1 order by 1
SQL
my $shown = $node->safe_psql('postgres', 'select intent, avg_confidence from (' . panel('Intents, 30 days') . ') q order by 1');
# The view rounds each day's average.
my %shown = map { split /\|/, $_, 2 } split /\n/, $shown;
my %wanted = map { split /\|/, $_, 2 } split /\n/, $wanted;
my @off = grep { !exists $shown{$_} || abs($shown{$_} - $wanted{$_}) > 0.11 } sort keys %wanted;
is("@off", '', 'the average confidence of an intent is that of its messages');

# Who confirms an answer has reviewed it, and a rejected text does not come back.
$node->safe_psql('postgres', <<'SQL');
insert into ai_training_data (user_message, detected_intent, model_name, intent_correct, dataset_status)
values ('confirmed', 'x', 'bank', true, 'pending'), ('rejected', 'x', 'bank', null, 'rejected'), ('Rejected', 'x', 'bank', null, 'pending'),
  ('waiting', 'x', 'bank', null, 'pending');
SQL
my $waiting = $node->safe_psql('postgres', "select user_message from (" . panel('Least certain') . ") q where detected_intent = 'x'");
is($waiting, 'waiting', 'the least certain messages are those that wait for a reviewer');

# ---- alerts ----------------------------------------------------------------------------------------------------------

my $listener = session($node, database => 'postgres');
$listener->query_ok('listen ai_alerts');
my $recorded = $node->safe_psql('postgres', q{select count(*) from check_alerts()});
cmp_ok($recorded, '>', 0, 'the model misses a target');
my $first = $listener->query('select 1');
my $seen = () = "$first->{out}\n$first->{err}" =~ /Asynchronous notification "ai_alerts" with payload/g;
is($seen, $recorded, 'each alert is notified once');
is($node->safe_psql('postgres', q{select count(*) from check_alerts()}), '0', 'nothing changed, nothing is recorded');
my $second = $listener->query('select 1');
unlike("$second->{out}$second->{err}", qr/Asynchronous/, 'nor notified');
$listener->close;

log_shows_no_crash($node);
done_testing();
