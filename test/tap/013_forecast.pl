# Forecasts of thousands of series: a training that is cancelled in any phase leaves nothing behind, one series of many is
# found, roles see their models only, and the holidays that a role has stored run for that role alone.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('forecast');
$node->safe_psql('postgres', <<'SQL');
create table sales as
select 'product ' || s as series, (date '2014-01-01' + n * interval '1 month')::date as ds,
  50 + s % 100 + n * 0.2 + 10 * ((n + s) % 12) + (n * 7919 + s * 31) % 13 as y
from generate_series(0, 119) n, generate_series(1, 3000) s;
SQL

# ---- cancelled --------------------------------------------------------------------------------------------------------

my $train = q{select train_forecast('products', 'select series, ds, y from sales')};
my $session = session($node);
$session->query_ok('set pg_retrain.max_threads = 2');
# How long it takes undisturbed says where its middle is; a machine that has become faster since is given less time.
$session->query_ok('begin');
my $whole = $session->query_ok(q{select ceil(1000 * extract(epoch from clock_timestamp() - s.t))
  from (select clock_timestamp() as t offset 0) s, train_forecast('products', 'select series, ds, y from sales')});
$session->query_ok('rollback');
for my $share (0.01, 0.1, 0.4, 0.7) {
    my $timeout = 1 + int($share * $whole);
    my $result;
    for my $try (1 .. 8) {
        $session->query_ok("set statement_timeout = $timeout");
        $session->query_ok('begin');
        $result = $session->query($train);
        $session->query_ok('rollback');
        last if defined $result->{sqlstate};
        $timeout = 1 + int($timeout / 2);
    }
    error_is($result, '57014', undef, "a training is cancelled after $share of its time");
}
$session->query_ok('reset statement_timeout');
is($session->query_ok('select count(*) from ai_models'), 0, 'nothing has come of it');

# ---- many series ------------------------------------------------------------------------------------------------------

is($session->query_ok(q{select status from train_forecast('products', 'select series, ds, y from sales where ds < ''2018-01-01''')}),
    'completed', 'the session trains thousands of series');
is($session->query_ok(q{select count(*), count(distinct series) from forecast('products', 2)}), '12000|3000', 'all of them are forecast');
is($session->query_ok(q{select string_agg(ds::date || ' ' || series, ', ') from forecast('products', 2, '{}', 'product 2999')}),
    '2018-01-01 product 2999, 2018-02-01 product 2999', 'and one of them');
is($session->query_ok(q{select count(*) from sales s, lateral forecast('products', 1, '{}', s.series) f where s.ds = '2014-01-01' and s.series like 'product 1_'}),
    10, 'once for each row of a query');

# ---- who may ----------------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', <<'SQL');
create role asks;
create role trains;
create role other_trainer;
select grant_retrain_access('asks', 'predictor', 'products');
select grant_retrain_access('trains', 'trainer');
select grant_retrain_access('other_trainer', 'trainer');
grant select on sales to trains, other_trainer;
create function whoami() returns text language sql as 'select current_user::text';
SQL
$session->query_ok(q{set role asks});
is($session->query_ok(q{select count(*) from forecast('products', 1, '{}', 'product 7')}), 1, 'a predictor forecasts');
error_is($session->query($train), '42501', undef, 'and does not train');
$session->query_ok(q{reset role});

my $source = q{select series, ds, y from sales where series = ''product 1''};
$session->query_ok(q{set role trains});
is($session->query_ok(qq{select status from train_forecast('feasts', '$source',
  '{"holidays": "select date ''2014-05-01'' as ds, whoami() as holiday"}')}), 'completed', 'holidays are a query');
$session->query_ok(q{set role other_trainer});
error_is($session->query(q{select train_forecast('feasts')}), '42501', undef, 'another role does not run a stored source');
error_is($session->query(qq{select train_forecast('feasts', '$source')}), '42501', qr/holidays of model "feasts" were given by another role/,
    'nor stored holidays');
is($session->query_ok(qq{select status from train_forecast('feasts', '$source', '{"holidays": null}')}), 'completed',
    'but trains without them');
# Nobody's holidays join another role's source: whoever trained would run the other's query.
$session->query_ok(q{set role trains});
$session->query_ok(qq{select train_forecast('feasts', '$source', '{"holidays": null}')});
is($session->query_ok(q{select source_set_by from ai_models where model_name = 'feasts'}), 'trains', 'the source is of the role that gave it');
$session->query_ok(q{set role other_trainer});
my $holidays = q{{"holidays": "select now() as ds, whoami() as holiday"}};
error_is($session->query(qq{update ai_models set config = '$holidays' where model_name = 'feasts'}), '42501',
    qr/a query of model "feasts" came from another role/, 'holidays do not join the source of another role');
$session->query_ok(qq{update ai_models set config = '$holidays', source = '$source and true' where model_name = 'feasts'});
$session->query_ok(q{set role trains});
error_is($session->query(q{select train_forecast('feasts')}), '42501', undef, 'together they are of the role that gave them');
$session->close;

done_testing();
