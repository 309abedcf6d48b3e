# Promotions, rollbacks, rejections, failures, drift and alerts are told to those who listen, when they are committed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use JSON::PP qw(decode_json);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('notify');
my $listener = session($node);
my $actor = session($node);
$listener->query_ok('listen ai_models');
$listener->query_ok('listen ai_alerts');

# What has been told since it was asked for the last time: "channel event model version" or "channel status model rule". A
# backend sends notifications when it is idle, so the second question sees all that was committed before the first.
sub told {
    my $out = join "\n", map { $listener->query('select 1')->{out} } 1 .. 2;
    my @told;
    while ($out =~ /^Asynchronous notification "(\w+)" with payload "(.*)" received/mg) {
        my ($channel, $payload) = ($1, decode_json($2));
        push @told, join ' ', $channel, map { $_ // '-' } $channel eq 'ai_models'
            ? @{$payload}{qw(event model_name version_id)}
            : @{$payload}{qw(status model_name rule_name)};
    }
    return join '; ', @told;
}

my $rows = q{select format('%s number %s', i, n) as text, i as intent, case when n %% 5 = 0 then 'test' else 'train' end as split
  from unnest(array['order', 'invoice']) i, generate_series(1, 30) n} =~ s/%%/%/r;
my %good = (model => 'm', source => $rows, config => '{"preset": "classic"}');

is(told(), '', 'nothing has happened');
$actor->query_ok(train_sql(%good));
is(told(), 'ai_models promoted m 1', 'a training that promotes');
$actor->query_ok(train_sql(%good, promote => 'never'));
is(told(), '', 'one that was told not to');
$actor->query_ok('select promote_model(2)');
is(told(), 'ai_models promoted m 2', 'a promotion');
$actor->query_ok(q{select rollback_model('m')});
is(told(), 'ai_models rolled_back m 1', 'a rollback');
# The labels are swapped in training, so that it is wrong about every test row.
$actor->query_ok(train_sql(%good, source => "select text, case when split = 'test' then intent when intent = 'order' then 'invoice' else 'order' end as intent, split from ($rows) r"));
is(told(), 'ai_models rejected m 3', 'a rejection');
$actor->query_ok(train_sql(%good, source => q{select 'x' as text, 'y' as intent}));
is(told(), 'ai_models failed m -', 'a failure');

$actor->query_ok('begin; select promote_model(2)');
is(told(), '', 'nothing before the commit');
$actor->query_ok('rollback');
is(told(), '', 'nor after a rollback');

$actor->query_ok(<<'SQL');
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at, model_name)
select 'word' || i % 7 || ' and word' || i % 5, 'i' || i % 3, i % 101, now() - interval '20 days', 'm' from generate_series(1, 400) i;
insert into ai_training_data (user_message, detected_intent, confidence_score, created_at, model_name)
select 'word' || i % 7 || ' and word' || i % 5, 'i' || i % 3, i % 101, now() - interval '1 day', 'm' from generate_series(1, 200) i;
SQL
is($actor->query_ok(q{select string_agg(distinct verdict, ',') from detect_drift('m')}), 'stable', 'the same traffic');
is(told(), '', 'no drift, no word of it');
$actor->query_ok(q{update ai_training_data set confidence_score = 5 where created_at > now() - interval '2 days'});
is($actor->query_ok(q{select string_agg(aspect, ',') from detect_drift('m') where verdict = 'drift'}), 'confidence', 'other traffic');
is(told(), 'ai_models drift m 1', 'drift');
is($actor->query_ok(q{begin read only; select count(*) from detect_drift('m'); commit}), '3', 'it can be asked in a read-only transaction');
is(told(), 'ai_models drift m 1', 'and tells it all the same');
# A reader is enough.
$actor->query_ok(q{create role viewer; select grant_retrain_access('viewer', 'reader', 'm')});
is($actor->query_ok(q{set role viewer; select count(*) from detect_drift('m'); reset role}), '3', 'a reader asks');
is(told(), 'ai_models drift m 1', 'and it is told');

is($actor->query_ok(q{select string_agg(rule_name, ',') from check_alerts()}), 'avg_confidence,training_samples', 'alerts');
is(told(), 'ai_alerts critical m avg_confidence; ai_alerts warning m training_samples', 'each is told');
$actor->query_ok('select check_alerts()');
is(told(), '', 'once');

log_shows_no_crash($node);
$node->stop;
done_testing();
