# Databases of other encodings than UTF-8: the extension is created in each, its Spanish texts are right where the encoding has
# the letters, and names, classes and series with accents go in and come out, also from one database to another.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

my $node = new_node('encodings');
my %accents = (LATIN1 => 1, LATIN9 => 1, WIN1252 => 1, EUC_JP => 1, SQL_ASCII => 1, UTF8 => 1, KOI8R => 0);
my %models;
for my $encoding (sort keys %accents) {
    my $database = lc $encoding;
    $node->safe_psql('postgres', "create database $database template template0 encoding '$encoding' locale 'C'");
    my ($status, undef, $said) = $node->psql($database, 'create extension pg_retrain');
    is($status, 0, "$encoding: the extension is created") or diag($said);
    my $session = session($node, database => $database, encoding => $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8');
    is($session->query_ok('select string_agg(risk_level, \',\' order by id) from ai_risk_levels'),
        $accents{$encoding} ? 'bajo,medio,alto,crítico' : 'bajo,medio,alto,critico', "$encoding: the levels of risk");
    is($session->query_ok('select recommendation from ai_risk_levels where id = 2'),
        $accents{$encoding} ? 'Enviar una campaña con una promoción.' : 'Enviar una campana con una promocion.',
        "$encoding: what is recommended");
    is($session->query_ok(q{select (quality_score).quality_score from (select retrain_judge(retrain_words('👎')) as quality_score) j}),
        '1', "$encoding: a sign is a judgement")
        if $encoding eq 'UTF8' || $encoding eq 'SQL_ASCII';
    is($session->query_ok(q{select count(*) > 0 and bool_and(range is not null) from retrain_config_reference()}), 't',
        "$encoding: the parameters of intents");
    is($session->query_ok(q{select count(*) > 0 and bool_and(range is not null) from retrain_forecast_reference()}), 't',
        "$encoding: the parameters of forecasts");
    error_is($session->query(q{select train_intent_model('m', p_source => 'select 1 as x')}), '22023', qr/gives no column "text"/,
        "$encoding: a hint can be said");
    if ($accents{$encoding}) {
        $session->query_ok(<<'SQL');
create table messages as select o || ' ' || p || ' ' || n as text, i as intent
from (values ('¿cuánto cuesta el champú?', 'précio ñ'), ('¿cuándo llega el envío?', 'envío'), ('quería una devolución', 'devolución')) m (p, i),
  unnest(array['hola,', 'buenos días,', '¡oye!']) o, generate_series(1, 10) n;
create table series as select date '2026-01-01' + n as ds, n % 7 as y, s as series
from generate_series(1, 60) n, unnest(array['peluquería', 'niños']) s;
create table clients as select n as "años", case when n % 2 = 0 then 'café' else 'té' end as "categoría",
  case when n > 50 then 'sí' else 'no' end as "abandonó" from generate_series(1, 100) n;
SQL
        is($session->query_ok(q{select status from train_intent_model('m', p_source => 'select text, intent from messages', p_promote => 'always')}),
            'completed', "$encoding: a training of intents");
        is($session->query_ok(q{select classify_intent('¿cuánto cuesta el champú?', 'm')}), 'précio ñ', "$encoding: its answer");
        is($session->query_ok(q{select status from train_forecast('f', 'select ds, y, series from series')}), 'completed',
            "$encoding: a training of forecasts");
        is($session->query_ok(q{select string_agg(distinct series, ',' order by series) from forecast('f', 1)}), 'niños,peluquería',
            "$encoding: its series");
        is($session->query_ok(q{select status from train_model('c', 'classification', 'select * from clients', 'abandonó', 'logistic_regression')}),
            'completed', "$encoding: a training of a table");
        is($session->query_ok(q{select (predict_class('c', '{"años": 99, "categoría": "té"}'::jsonb)).label}), 'sí', "$encoding: its class");
        is($session->query_ok(q{select (churn_risk('c', '{"años": 99, "categoría": "té"}'::jsonb)).risk_level}), 'crítico',
            "$encoding: its risk");
        # Names that are long in UTF-8 are cut in warnings and errors, by signs that every encoding has.
        my $long = 'ñ' x 31;
        my $wide = $encoding eq 'LATIN1' ? 'ñ' x 60 : $long;
        is($session->query_ok(<<"SQL"), 'completed', "$encoding: a long name in a warning");
select status from train_model('w', 'regression', 'select n::text || ''x'' as "$wide", n % 5 as z, 2 * n as y from generate_series(1, 60) n', 'y', 'ridge')
SQL
        $models{$encoding} = {
            map { $_ => $session->query_ok("select encode(export_model(max(id)), 'hex') from ai_model_versions where model_name = '$_'") } qw(m f c)
        };
    }
    $session->close;
}

# The bytes are the same everywhere, and come in anywhere.
for my $encoding (grep { $accents{$_} } sort keys %accents) {
    is($models{$encoding}{$_}, $models{UTF8}{$_}, "$encoding: model $_ is what it is in UTF-8") for qw(m f c);
    my $session = session($node, database => lc $encoding, encoding => $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8');
    $session->query_ok("select promote_model(import_model('\\x$models{LATIN1}{$_}', 'other $_'))") for qw(m f c);
    is($session->query_ok(q{select classify_intent('¿cuánto cuesta el champú?', 'other m')}), 'précio ñ', "$encoding: intents of a model of LATIN1");
    is($session->query_ok(q{select count(*) from forecast('other f', 1, array[0.8], 'niños')}), '1', "$encoding: a series of one");
    is($session->query_ok(q{select (predict_class('other c', '{"años": 99, "categoría": "té"}'::jsonb)).label}), 'sí', "$encoding: a class of one");
    $session->close;
}

done_testing();
