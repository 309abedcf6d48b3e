# Models of tables, forecasts and churn on a standby: trained on the primary, they answer there as on the primary, write
# nothing, and a session that holds a version serves the next one as soon as its promotion has been replayed.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $primary = new_node('primary', streaming => 1);
my $standby = new_standby($primary, 'standby');

# Training is on rows that come after the standby was made: all it has, it has from replay.
$primary->safe_psql('postgres', <<'SQL');
create table orders as
select n as order_id, 'c' || n % 97 as customer_id, timestamp '2026-01-01' + make_interval(hours => 7 * n) as ordered_at, 10 + n % 41 as amount
from generate_series(1, 1000) n where n / 97 < 3 + n % 97 % 9;
create view customers as
select customer_id, recency_days, frequency, monetary from rfm('select customer_id, ordered_at, amount, order_id from orders');
create table houses as
select n as house_id, 50 + (n * 37) % 100 as area, n % 3 = 0 as garden, (array['Ames', 'Boone', 'Nevada'])[1 + n % 3 * n % 3] as town,
  case when n % 23 = 0 then null else date '2024-01-01' + n end as sold, (1000 * (50 + (n * 37) % 100) + (n * 7919) % 500)::float8 as price,
  case when n % 10 = 0 then 'test' else 'train' end as split
from generate_series(1, 500) n;
create table sales as
select date '2024-01-01' + n as ds, 20 + n % 7 + s * 5 as y, 'shop ' || s as series from generate_series(0, 199) n, generate_series(1, 3) s;
SQL

my @models = qw(price garden segments churn sales);
my %train = (
    price => q{train_model('price', 'regression', 'select area, garden, town, sold, price, split from houses', 'price', 'ridge', '%s', 'always')},
    garden => q{train_model('garden', 'classification', 'select area, town, sold, garden, split from houses', 'garden', 'logistic_regression', '%s', 'always')},
    segments => q{train_model('segments', 'clustering', 'select area, price, split from houses', null, 'kmeans', '%s', 'always')},
    churn => q{train_model('churn', 'classification', 'select *, recency_days %% 2 = 0 as churned from customers', 'churned',
      'logistic_regression', '%s', 'always')},
    sales => q{train_forecast('sales', 'select * from sales', '%s', 'always')});
my %config = (price => '{"alpha": 0.01}', garden => '{"c": 1}', segments => '{"k": 3}', churn => '{"c": 1}', sales => '{}');
my %other = (price => '{"alpha": 1000}', garden => '{"c": 0.001}', segments => '{"k": 4}', churn => '{"c": 0.001}', sales => '{"methods": "naive"}');
my %answer = (
    price => q{select string_agg(predict_value('price', h)::text, ' ' order by house_id) from houses h},
    garden => q{select string_agg(predict_class('garden', h)::text, ' ' order by house_id) from houses h},
    segments => q{select string_agg(predict_cluster('segments', h)::text, ' ' order by house_id) from houses h},
    churn => q{select string_agg(c.customer_id || churn_risk('churn', c)::text, ' ' order by customer_id) from customers c},
    sales => q{select string_agg(f::text, ' ' order by series, ds, level) from forecast('sales', 14) f},
    explained => q{select string_agg(e::text, ' ' order by house_id, place) from houses h,
      lateral explain_prediction('price', h) with ordinality as e (feature, value, contribution, place) where house_id < 20},
    explained_segments => q{select string_agg(e::text, ' ' order by house_id, place) from houses h,
      lateral explain_prediction('segments', h) with ordinality as e (feature, value, contribution, place) where house_id < 20},
    rfm => q{select string_agg(r::text, ' ' order by customer_id) from rfm('select customer_id, ordered_at, amount, order_id from orders') r});

# Trees, where the server has the module that grows them.
my $writer = session($primary);
my $trees = $writer->query(q{select deployed from train_model('trees', 'regression', 'select area, town, garden, price, split from houses', 'price',
  'random_forest', '{"n_estimators": 10}', 'always')});
if (!defined $trees->{sqlstate}) {
    push @models, 'trees';
    $train{trees} = q{train_model('trees', 'regression', 'select area, town, garden, price, split from houses', 'price', 'random_forest', '%s', 'always')};
    $config{trees} = '{"n_estimators": 10}';
    $other{trees} = '{"n_estimators": 3}';
    $answer{trees} = q{select string_agg(predict_value('trees', h)::text, ' ' order by house_id) from houses h};
}

# Trains and gives the number of the version.
sub train_version {
    my ($model, $configuration) = @_;
    my ($deployed, $version) = split /\|/, $writer->query_ok('select deployed, model_version_id from ' . sprintf($train{$model}, $configuration));
    die "$model was not promoted" if $deployed ne 't';
    return $version;
}

# ---- the same answers ------------------------------------------------------------------------------------------------

my %first = map { $_ => train_version($_, $config{$_}) } @models;
catch_up($primary, $standby);
my $reader = session($standby);
my %before;
for my $what (sort keys %answer) {
    $before{$what} = $writer->query_ok($answer{$what});
    cmp_ok(length $before{$what}, '>', 100, "the primary answers: $what");
    is($reader->query_ok($answer{$what}), $before{$what}, "the standby answers as the primary does: $what");
}

# ---- nothing is written ----------------------------------------------------------------------------------------------

my $all = join '; ', map { $answer{$_} } sort keys %answer;
for my $session ($writer, $reader) {
    my $result = $session->query("begin read only; $all; select coalesce(pg_current_xact_id_if_assigned()::text, 'none'); commit");
    ok(!defined $result->{sqlstate}, 'all of them work in a read-only transaction') or diag($result->{err});
    like($result->{out}, qr/^none\z/m, 'and assign no transaction id');
}
error_is($reader->query('select ' . sprintf($train{price}, '{}')), '25006', undef, 'a standby refuses to train a table');
error_is($reader->query('select retrain_all()'), '25006', undef, 'a standby refuses to train everything again');

# ---- a new version while a session of the standby holds the old one ---------------------------------------------------

# As long as the primary has a snapshot as old as that of the standby, it removes no rows that the standby may still need.
my $holder = session($primary);
$holder->query_ok('begin isolation level repeatable read; select 1');
my $old = session($standby);
$old->query_ok("begin isolation level repeatable read; $all");
my %second = map { $_ => train_version($_, $other{$_}) } @models;
catch_up($primary, $standby);
for my $model (@models) {
    my $now = $writer->query_ok($answer{$model});
    isnt($now, $before{$model}, "the new version of $model answers otherwise");
    is($reader->query_ok($answer{$model}), $now, "the session that held the old version of $model serves the new one");
    is($old->query_ok($answer{$model}), $before{$model}, "a snapshot from before still has the old version of $model");
}
isnt($reader->query_ok($answer{explained}), $before{explained}, 'explanations are those of the new version');
$old->query_ok('commit');
$holder->close;
is($old->query_ok($answer{$_}), $writer->query_ok($answer{$_}), "and its end brings the new one: $_") for @models;

# Back again, by number and by promotion.
my $by_number = q{select string_agg(predict_value('price', h, %s)::text, ' ' order by house_id) from houses h};
is($reader->query_ok(sprintf($by_number, $first{price})), $before{price}, 'the standby serves an older version by its number');
$writer->query_ok("select promote_model($first{$_})") for @models;
catch_up($primary, $standby);
is($reader->query_ok($answer{$_}), $before{$_}, "promoted again on the primary, served by the standby: $_") for @models;

# ---- the standby becomes a primary -----------------------------------------------------------------------------------

$writer->close;
$primary->stop('fast');
$standby->promote;
is($reader->query_ok($answer{$_}), $before{$_}, "a session that was open through the promotion goes on: $_") for @models;
$writer = $reader;
my $version = train_version('price', $other{price});
cmp_ok($version, '>', $second{price}, 'the promoted standby trains, with a number of its own');
isnt($reader->query_ok($answer{price}), $before{price}, 'and its new version answers');

log_shows_no_crash($primary);
log_shows_no_crash($standby);
done_testing();
