# Input that nobody should send, through SQL: each ends in a clear error or in a recorded failed run, the live version
# stays, the session goes on, and no process of the server dies.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib "$FindBin::RealBin/lib";

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RetrainTest;
use Test::More;

# Every connection reads the stored bytes itself: damage would stay unseen behind an intact copy in shared memory.
my $node = new_node('hostile', conf => 'pg_retrain.shared_cache_size = 0');
load_dataset($node, 'postgres', 'banking', 'intent_en_banking77', 12);
load_dataset($node, 'postgres', 'small', 'intent_es_nlpjs_support');
my $classic = '{"preset": "classic"}';
my %good = (model => 'm', config => $classic, source => 'select text, intent, split from banking', promote => 'always');
my (undef, undef, $first) = train($node, 'postgres', %good);
my (undef, undef, $second) = train($node, 'postgres', %good, config => '{"preset": "classic", "c": 0.5}');
my %name = map { split /\|/ } split /\n/, $node->safe_psql('postgres', 'select id, version from ai_model_versions');
my $ask = q{select (predict_intent('my card has not arrived', 'm'))::text};
my $answer = $node->safe_psql('postgres', $ask);

my $session = session($node);
my $pid = session_pid($session);

# ---- rows that make no model -----------------------------------------------------------------------------------------

# A recorded failed run, which says why, and the live version stays.
sub recorded_failure {
    my ($source, $reason, $what) = @_;
    my $runs = $session->query_ok('select count(*) from ai_training_runs');
    my $result = $session->query(train_sql(model => 'm', config => $classic, source => $source, promote => 'always'));
    like($result->{out}, qr/^failed\|f\|\|.*$reason/s, "$what: a failed run that says why") or diag($result->{err});
    is($session->query_ok(q{select count(*), (array_agg(status order by started_at desc))[1] from ai_training_runs}),
        ($runs + 1) . '|failed', "$what: it is recorded");
    is($session->query_ok($ask), $answer, "$what: the live version stays");
    return;
}

$session->query_ok('create table nothing (text text, intent text)');
recorded_failure('select text, intent from nothing', qr/\b0 /, 'an empty table');
recorded_failure('select text, \'one\' as intent from banking', qr/one intent/, 'one class');
recorded_failure('select text, intent from banking where split = \'train\' order by id limit 19', qr/\b19\b.*\b20\b/, '19 rows');
recorded_failure('select null::text as text, intent from banking', qr/\b0 /, 'null texts');
recorded_failure('select text, null::text as intent from banking', qr/\b0 /, 'null intents');
recorded_failure('select repeat(\' \', id % 3) as text, intent from banking', qr/\b0 /, 'empty texts');
recorded_failure(q{select repeat(U&'\200B', 1 + id) as text, intent from banking}, qr/\b0 |features/, 'zero-width texts');
recorded_failure('select text, intent, \'test\' as split from banking', qr/no training rows/, 'test rows alone');
recorded_failure('select id % 7 || \'!\' as text, intent from banking', qr/samples|features/, 'the same few texts');

# The same through ai_training_data.
my $result = $session->query(train_sql(model => 'no_rows'));
like($result->{out}, qr/^failed\|f\|\|/, 'a model without a single message: a failed run') or diag($result->{err});
$session->query_ok(q{select count(record_interaction('message ' || n, p_detected_intent => 'i' || n % 2, p_model_name => 'few')) from generate_series(1, 19) n});
$result = $session->query(train_sql(model => 'few'));
like($result->{out}, qr/^failed\|f\|\|.*19/, '19 recorded messages: a failed run') or diag($result->{err});

# Bad rows among good ones are left out.
$result = $session->query(train_sql(%good, model => 'mixed', source => <<'SQL'));
select text, intent, split from banking
union all select null, 'nobody', 'train' from generate_series(1, 50)
union all select '', 'nobody', 'train' from generate_series(1, 50)
union all select 'text without an intent ' || n, null, 'train' from generate_series(1, 50) n
SQL
like($result->{out}, qr/^completed\|t\|/, 'nulls and blanks among good rows are left out') or diag($result->{err});
is($session->query_ok(q{select predict_intent(t, 'mixed') = predict_intent(t, 'mixed') and 'nobody' <> all (labels)
    from ai_model_versions, (values ('my card has not arrived')) v (t) where model_name = 'mixed'}), 't', 'no intent comes of them');
for my $message ('null', q{''}, q{'   '}, q{E'\n\t'}, q{U&'\200B\FEFF'}) {
    $result = $session->query("select (predict_intent($message, 'm')).model_trained, classify_intent($message, 'm') is null");
    ok(!defined $result->{sqlstate} && $result->{out} =~ /^t\|[tf]$/, "predicting $message gives an answer")
        or diag($result->{err} . $result->{out});
}

# ---- rows with numbers that are none ---------------------------------------------------------------------------------

for my $weight (q{'NaN'::float8}, q{'Infinity'::float8}, '-1', '0', '1e308::float8 * 1') {
    $result = $session->query(train_sql(%good, promote => 'never', source => "select text, intent, $weight as weight from banking"));
    if ($weight =~ /e308/) {
        # Finite as a double, not as what the trainer keeps: an error or a model, never an answer of NaN.
        ok(defined $result->{sqlstate} ? $result->{sqlstate} =~ /^22/ : $result->{out} =~ /^(?:completed|failed)\|/,
            "weight $weight: an error or a run") or diag($result->{err});
        if ($result->{out} =~ /^completed\|f\|(\d+)/) {
            is($session->query_ok("select (predict_intent('my card', 'm', p_version_id => $1)).confidence between 0 and 1"), 't',
                "weight $weight: the model gives probabilities");
        }
    } else {
        error_is($result, '22023', qr/weight/, "weight $weight");
    }
}
error_is($session->query(train_sql(%good, source => q{select text, intent, 'tomorrow' as split from banking})), '22023',
    qr/tomorrow/, 'an unknown split');
$result = $session->query(train_sql(%good, promote => 'never', source =>
    q{select text, intent, split, case when id % 2 = 0 then 'infinity' else '-infinity' end::timestamptz as created_at from banking}));
ok(!defined $result->{sqlstate} && $result->{out} =~ /^completed/, 'rows of infinite age') or diag($result->{err});

# ---- texts -----------------------------------------------------------------------------------------------------------

$session->query_ok(<<'SQL');
create table odd (name text, body text);
insert into odd values
  ('emoji', 'where is my 💳❓ 👩‍👩‍👧‍👦 🏳️‍🌈 🇪🇸'),
  ('right to left', 'أين بطاقتي؟ לא הגיע הכרטיס שלי'),
  ('direction marks', U&'\202Ereversed\202C \2066isolated\2069'),
  ('zero width', U&'c\200Ba\200Cr\200Dd\FEFF'),
  ('combining marks', 'z' || repeat(U&'\0301', 100000)),
  ('noncharacters', U&'\FFFF \FDD0 \+10FFFF'),
  ('controls', E'\x01\x02\x7f\x1b[31m'),
  ('no spaces', repeat('x', 100000)),
  ('spaces alone', repeat(' ', 100000)),
  ('quotes', $q$'; drop table ai_models; -- "\ $1 %s {}$q$),
  ('every plane', (select string_agg(chr(c), ' ') from generate_series(1, 1114111, 997) c where c not between 55296 and 57343)),
  ('10 MB', (select string_agg('word' || n, ' ') from generate_series(1, 950000) n));
SQL
for my $name (split /\n/, $session->query_ok('select name from odd')) {
    $result = $session->query(<<SQL);
select (predict_intent(body, 'm')).predicted_intent is not distinct from classify_intent(body, 'm'),
  (select count(*) > 0 from explain_intent(body, 'm')), (select count(*) from predict_intents(array[body, body], 'm')),
  (predict_intent(body, 'm')).message = body
from odd where name = '$name'
SQL
    is($result->{out}, 't|t|2|t', "predicting: $name") or diag(substr($result->{err}, 0, 500));
}
$result = $session->query(train_sql(%good, model => 'odd', source => <<'SQL'));
select text, intent, 'train' as split from banking
union all select body, 'odd ' || name, 'train' from odd
union all select body || ' again', name || '💳', 'train' from odd where name <> '10 MB'
union all select body || ' as a test', 'odd ' || name, 'test' from odd where name <> '10 MB'
SQL
like($result->{out}, qr/^completed\|t\|/, 'training on all of them, one of 10 MB') or diag(substr($result->{err}, 0, 500));
like($session->query_ok(q{select classify_intent('أين بطاقتي؟ לא הגיע הכרטיס שלי', 'odd')}), qr/right to left/, 'and something is learnt');
# Recorded messages have a key of their text.
is($session->query_ok(<<'SQL'), '12|12', 'recording and correcting all of them');
select count(*), count(*) filter (where submit_intent_correction(id, 'odd')->>'success' = 'true')
from (select record_interaction(body, p_model_name => 'odd') as id from odd) r
SQL
is($session->query_ok(q{select count(*) from odd where classify_intent(body, 'odd') = 'odd'}), '12', 'the corrections answer');

# Bytes that are no text never become a text.
for my $bytes ('ff', 'c3', 'c0af', 'eda080', 'f5808080', '6100') {
    error_is($session->query("select predict_intent(convert_from('\\x$bytes', 'UTF8'), 'm')"), '22021', undef,
        "bytes $bytes as a message");
}
error_is($session->query(train_sql(%good, source => q{select text || convert_from('\xc3', 'UTF8') as text, intent from banking})),
    '22021', undef, 'bytes that are no text in a training');
$result = $session->query(q{select (predict_intent('\xff00'::bytea::text, 'm')).model_trained});
is($result->{out}, 't', 'a bytea as text is its digits');

# ---- intents ---------------------------------------------------------------------------------------------------------

$result = $session->query(train_sql(model => 'many', promote => 'always',
        config => '{"preset": "classic", "max_features": 2000, "folds": 2}', source => <<'SQL'));
select 'w' || n % 5000 || ' v' || n % 71 || ' u' || n as text, 'intent ' || n % 5000 as intent, 'train' as split
from generate_series(1, 6000) n
SQL
like($result->{out}, qr/^completed\|t\|/, '5,000 intents') or diag($result->{err});
is($session->query_ok(<<'SQL'), 't|1000|5000', 'they answer');
select classify_intent('w17 v17', 'many') = (p).predicted_intent, (select count(*) from jsonb_object_keys((p).top_intents)),
  (select cardinality(labels) from ai_model_versions where model_name = 'many')
from predict_intent('w17 v17', 'many', 1000) p
SQL
$result = $session->query(train_sql(%good, model => 'long_intent', source => <<'SQL'));
select text, case when intent = 'card_arrival' then repeat('i', 1048576) else intent end as intent, split from banking
SQL
ok(defined $result->{sqlstate} ? $result->{sqlstate} =~ /^(?:54000|22023)$/ && $result->{message} =~ /intent/
        && length($result->{err}) < 10000 : $result->{out} =~ /^(?:completed|failed)/,
    'an intent name of 1 MB: a clear error or a run') or diag(substr($result->{err}, 0, 1000));
# A message cannot be recorded with such an intent, so no later training can stumble over it.
$result = $session->query(q{select record_interaction('hello', p_detected_intent => repeat('i', 1048576), p_model_name => 'long_intent')});
is($result->{sqlstate}, '22023', 'an intent name of 1 MB is not recorded');
is($session->query_ok($ask), $answer, 'the live version stays');

# ---- configuration ---------------------------------------------------------------------------------------------------

my $before = counts($node, 'postgres');
my %config = (
    '{"no_such_key": 1}' => 'no_such_key',
    '{"C": 1}' => '"C"',
    '{"": 1}' => '""',
    '{"c": -1}' => '\bc\b',
    '{"c": 0}' => '\bc\b',
    '{"c": 1e300}' => '\bc\b',
    '{"c": "1"}' => '\bc\b',
    '{"c": [1]}' => '\bc\b',
    '{"c": {"c": 1}}' => '\bc\b',
    '{"word_ngrams": [3, 1]}' => 'word_ngrams',
    '{"word_ngrams": [1, 1000000]}' => 'word_ngrams',
    '{"word_ngrams": [1.5, 2]}' => 'word_ngrams',
    '{"word_ngrams": [-1, 2]}' => 'word_ngrams',
    '{"word_ngrams": [1, 2, 3]}' => 'word_ngrams',
    '{"word_ngrams": []}' => 'word_ngrams',
    '{"word_ngrams": ["1", "2"]}' => 'word_ngrams',
    '{"char_ngrams": [4, 2]}' => 'char_ngrams',
    '{"min_df": -1}' => 'min_df',
    '{"max_df": 0}' => 'max_df',
    '{"max_df": -0.5}' => 'max_df',
    '{"max_features": -5}' => 'max_features',
    '{"max_features": 1.5}' => 'max_features',
    '{"max_features": 1e20}' => 'max_features',
    '{"folds": 1}' => 'folds',
    '{"folds": 2147483648}' => 'folds',
    '{"folds": 2.5}' => 'folds',
    '{"seed": -1}' => 'seed',
    '{"seed": "x"}' => 'seed',
    '{"split": [0.5, 0.5]}' => 'split',
    '{"split": [2, -1, 0]}' => 'split',
    '{"split": "train"}' => 'split',
    '{"classifier": "perceptron"}' => 'classifier',
    '{"classifier": 7}' => 'classifier',
    '{"calibration": true}' => 'calibration',
    '{"preset": "best"}' => 'preset',
    '{"class_weight": "heavy"}' => 'class_weight',
    '{"sublinear_tf": 1}' => 'sublinear_tf',
    '{"text_stats": "yes"}' => 'text_stats',
    '{"strip_accents": {}}' => 'strip_accents',
    '{"' . 'é' x 5000 . '": 1}' => '(?:é){20}',
);
for my $config (sort keys %config) {
    my $shown = length($config) > 60 ? substr($config, 0, 20) . '...' : $config;
    error_is($session->query(train_sql(%good, config => $config)), '22023', qr/$config{$config}/, "configuration $shown");
}
error_is($session->query(train_sql(%good, config => $_)), '22023', undef, "configuration $_") for '[1]', '"classic"', '7', 'null';
error_is($session->query(train_sql(%good, promote => 'perhaps')), '22023', qr/promote/, 'an unknown p_promote');
error_is($session->query(train_sql(%good, model => '')), '22023', undef, 'an empty model name');
error_is($session->query(train_sql(%good, model => 'x' x 201)), '22023', undef, 'a model name of 201 characters');
is(counts($node, 'postgres'), $before, 'none of it is recorded');
for my $model ('"; drop table ai_models; --', q{it's}, '💳' x 200, ' ', '%s\\') {
    my $quoted = $model =~ s/'/''/gr;
    $result = $session->query(train_sql(%good, model => $model) . "; select (predict_intent('my card', '$quoted')).model_trained");
    like($result->{out}, qr/^completed\|t\|.*\nt$/s, 'a model named ' . substr($model, 0, 30)) or diag($result->{err});
}

# ---- p_source --------------------------------------------------------------------------------------------------------

$session->query_ok(<<'SQL');
create table target (text text, intent text);
create sequence counter;
create function writes(t text) returns text language plpgsql as $$
begin
  insert into target values (t, t);
  return t;
end
$$;
-- Promises not to write, so that the planner may call it, and has another function write.
create function writes_while_planned() returns boolean language plpgsql immutable as $$
begin
  perform writes('planned');
  return true;
end
$$;
create function opens_the_door() returns text language plpgsql as $$
begin
  begin
    perform set_config('transaction_read_only', 'off', false);
  exception when others then
    null;
  end;
  perform writes('through the door');
  return 'x';
end
$$;
create role outsider;
select grant_retrain_access('outsider', 'trainer');
SQL
$before = counts($node, 'postgres');
my %hostile = (
    q{insert into target select text, intent from banking} => '22023',
    q{insert into target select text, intent from banking returning text, intent} => '22023',
    q{update banking set intent = 'x' returning text, intent} => '22023',
    q{delete from banking returning text, intent} => '22023',
    q{with gone as (delete from banking returning text, intent) select text, intent from gone} => '22023',
    q{with new as (insert into target select text, intent from banking returning *) select text, intent from banking} => '22023',
    q{select text, intent into stolen from banking} => '22023',
    q{create table stolen as select text, intent from banking} => '22023',
    q{drop table banking} => '22023',
    q{vacuum banking} => '22023',
    q{commit} => '22023',
    q{begin} => '22023',
    q{set search_path = pg_catalog} => '22023',
    q{copy banking to stdout} => qr/^(?:22023|0A000)$/,
    q{explain select text, intent from banking} => '22023',
    q{do 'begin end'} => '22023',
    q{notify hello} => '22023',
    q{prepare q as select 1} => '22023',
    q{select text, intent from banking; select text, intent from banking} => '22023',
    q{select text, intent from banking; drop table banking} => '22023',
    q{} => '22023',
    q{;} => '22023',
    q{-- nothing} => '22023',
    q{select 1} => '22023',
    q{select text from banking} => '22023',
    q{select intent from banking} => '22023',
    q{select "text" as "Text", intent from banking} => '22023',
    q{select text, text, intent from banking} => '22023',
    q{select id as text, intent from banking} => '22023',
    q{select text, 7 as intent from banking} => '22023',
    q{select text::bytea as text, intent from banking} => '22023',
    q{select array[text] as text, intent from banking} => '22023',
    q{select banking as text, intent from banking} => '22023',
    q{select text, intent, 'heavy' as weight from banking} => '22023',
    q{select text, intent, 1 as created_at from banking} => '22023',
    q{values ('a', 'b')} => '22023',
    q{select writes(text) as text, intent from banking} => '25006',
    q{select text, intent from banking where writes(text) is not null} => '25006',
    q{select text, intent from banking order by nextval('counter')} => '25006',
    q{select opens_the_door() as text, intent from banking} => '25006',
    q{select text, (train_intent_model('m', p_source => 'select text, intent from banking')).status as intent from banking} => '25006',
    q{select text, intent, 1 / (id - id) as weight from banking} => '22012',
    q{select text, intent, case when id > 11000 then 1 / (id - id) else 1 end as weight from banking order by id} => '22012',
    q{select text, intent from no_such_table} => '42P01',
    q{select text, no_such_column as intent from banking} => '42703',
    q{select text, intent frm banking} => '42601',
    q{select $1 as text, intent from banking} => qr/^42/,
    q{select text, (select intent from banking) as intent from banking} => '21000',
    q{select text, intent from banking where id = 'x'} => '22P02',
);
for my $source (sort keys %hostile) {
    my $result = $session->query(train_sql(%good, promote => 'never', source => $source));
    my $state = ref $hostile{$source} ? $hostile{$source} : qr/^$hostile{$source}\z/;
    like($result->{sqlstate} // 'no error', $state, "p_source: $source") or diag($result->{err} . $result->{out});
}
is($session->query_ok('select count(*) from target'), '0', 'nothing was written');
is($session->query_ok('select is_called from counter'), 'f', 'no sequence was moved');
is($session->query_ok('select count(*) > 1000 from banking'), 't', 'nothing was deleted');
is(counts($node, 'postgres'), $before, 'no run is recorded');
# The planner calls what promises to be immutable, before the first row is read.
$result = $session->query('begin; ' . train_sql(%good, promote => 'never',
        source => 'select text, intent from banking where writes_while_planned()')
    . "; select 'planned ' || count(*) from target; rollback");
error_is($result, '25006', undef, 'p_source cannot write while it is planned');
$result = $session->query("set role outsider; " . train_sql(%good) . '; reset role');
error_is($result, '42501', undef, 'p_source runs with the rights of its caller');
$session->query_ok('reset role');

# What forbids writing ends with the training, however that ends.
is($session->query(<<SQL)->{out}, "25006 caught\nfrom the outer transaction", 'after an error inside p_source the transaction writes again');
begin;
do \$do\$
begin
  perform train_intent_model('m', p_source => 'select writes(text) as text, intent from banking');
exception when read_only_sql_transaction then
  insert into target values ('25006', 'caught');
end
\$do\$;
select text || ' ' || intent from target;
savepoint a;
select train_intent_model('m', p_source => 'select writes(text) as text, intent from banking');
rollback to a;
insert into target values ('from', 'the outer transaction');
select text || ' ' || intent from target where text = 'from';
rollback
SQL

# ---- artifacts in import_model ---------------------------------------------------------------------------------------

train($node, 'postgres', model => 'tiny', config => $classic, source => 'select text, intent, split from small');
$session->query_ok("create temp table good as select artifact as a from ai_model_versions where model_name = 'tiny'");
my $length = $session->query_ok('select octet_length(a) from good');
$before = counts($node, 'postgres');
my %foreign = (
    'nothing at all' => q{''::bytea},
    'one byte' => q{'\x00'::bytea},
    'text' => q{convert_to('this is not a model', 'UTF8')},
    'JSON' => q{convert_to('{"format": 1, "labels": ["a", "b"]}', 'UTF8')},
    'a picture' => q{decode('89504e470d0a1a0a0000000d49484452', 'hex') || decode(repeat('00', 1000), 'hex')},
    'a pickle' => q{decode('80049595000000000000008c', 'hex') || decode(repeat('41', 1000), 'hex')},
    'zeros' => q{decode(repeat('00', 100000), 'hex')},
    'ones' => q{decode(repeat('ff', 100000), 'hex')},
    'a model and more' => q{(select a || '\x00'::bytea from good)},
    'two models' => q{(select a || a from good)},
    'a model from its second byte on' => q{(select substr(a, 2) from good)},
    'a model written backwards' => q{(select decode(reverse(encode(a, 'hex')), 'hex') from good)},
    'a model with the header of itself four bytes later' => q{(select overlay(a placing substr(a, 1, 60) from 5) from good)},
    'a model with a count of 2^32 - 1' => q{(select overlay(a placing '\xffffffff'::bytea from 9) from good)},
);
# A format that is newer than the library is not corrupt, it is unknown.
for my $what (sort keys %foreign) {
    for my $call ("select import_model($foreign{$what}, 'imported')", "select retrain_artifact_info($foreign{$what})") {
        my $result = $session->query($call);
        like($result->{sqlstate} // 'no error', qr/^(?:XX001|0A000)$/, "$what: " . ($call =~ /(\w+)\(/)[0]) or diag($result->{out});
    }
}
error_is($session->query(q{select import_model(null, 'imported')}), '22023', undef, 'importing null');
for my $cut (0 .. 40, map { int($length * $_ / 12) } 1 .. 11) {
    $result = $session->query("select import_model(substr(a, 1, $cut), 'imported') from good");
    error_is($result, 'XX001', undef, "importing the first $cut bytes");
}
error_is($session->query("select import_model(substr(a, 1, $length - $_), 'imported') from good"), 'XX001', undef,
    "importing all but $_ bytes") for 1, 2, 4, 8, 64;

# Every 64th byte flipped, each in a subtransaction of its own.
$session->query_ok(<<'SQL');
create function flips(p_step int, p_import boolean) returns table (state text, n bigint) language plpgsql as $$
declare
  v_good bytea := (select a from good);
  v_bad bytea;
begin
  create temp table states (state text) on commit drop;
  for v_at in 0 .. octet_length(v_good) - 1 by p_step loop
    v_bad := set_byte(v_good, v_at, get_byte(v_good, v_at) # (1 << v_at / p_step % 8));
    begin
      if p_import then
        perform import_model(v_bad, 'imported');
      else
        perform retrain_artifact_info(v_bad);
      end if;
      insert into states values ('accepted');
    exception when others then
      insert into states values (sqlstate);
    end;
  end loop;
  return query select s.state, count(*) from states s group by 1 order by 1;
end
$$
SQL
my $flipped = int(($length + 63) / 64);
like($session->query_ok('select * from flips(64, false)'), qr/^(?:0A000\|\d+\n)?XX001\|\d+$/, "$flipped artifacts with a flipped bit");
like($session->query_ok('select * from flips(1024, true)'), qr/^(?:0A000\|\d+\n)?XX001\|\d+$/, 'import_model refuses them too');
is(counts($node, 'postgres'), $before, 'none of it was stored');
is($session->query_ok(q{select count(*) from ai_models where model_name = 'imported'}), '0', 'and no model came into being');
is($session->query_ok($ask), $answer, 'the live version answers as before');
# What is whole goes in.
my $imported = $session->query_ok(q{select import_model(a, 'imported') from good});
is($session->query_ok("select export_model($imported) = a from good"), 't', 'the unharmed artifact is imported');

# Texts that are none behind a checksum that is right: whoever changes the bytes can sum them up anew.
my @crc_table = map { my $c = $_; $c = $c & 1 ? $c >> 1 ^ 0x82F63B78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;

sub with_checksum {
    my ($artifact) = @_;
    my $crc = 0xffffffff;
    $crc = $crc_table[($crc ^ $_) & 255] ^ $crc >> 8 for unpack 'C*', substr $artifact, 28;
    substr($artifact, 24, 4) = pack 'L<', $crc ^ 0xffffffff;
    return $artifact;
}

# Puts bytes of the same length in the place of some that a section has.
sub forged {
    my ($artifact, $section, $from, $to) = @_;
    my ($id, $zero, $offset, $size);
    for my $i (0 .. unpack('L<', substr $artifact, 28, 4) - 1) {
        ($id, $zero, $offset, $size) = unpack 'L<L<Q<Q<', substr $artifact, 32 + 24 * $i, 24;
        last if $id == $section;
    }
    my $bytes = substr $artifact, $offset, $size;
    length $from == length $to && $bytes =~ s/\Q$from\E/$to/ or die "no $from in section $section";
    substr($artifact, $offset, $size) = $bytes;
    return with_checksum($artifact);
}

$session->query_ok(<<'SQL');
create temp table plain as select n as number, 'pos' || n as text, 'intent' || n % 3 as intent, date '2026-01-01' + n as ds
from generate_series(1, 60) n
SQL
$session->query_ok(q{select train_intent_model('texts', p_source => 'select text, intent, ''train'' as split from plain', p_promote => 'always', p_config => '{"preset": "classic"}')});
$session->query_ok(q{select train_model('rows', 'classification', 'select number, intent as kind from plain', 'kind', 'logistic_regression')});
$session->query_ok(q{select train_model('groups', 'clustering', 'select number, intent as kind from plain')});
$session->query_ok(q{select train_forecast('series', 'select ds, number as y, intent as series from plain', '{"horizon": 2}')});
my %artifact = map { my ($name, $hex) = split /\|/; ($name => pack 'H*', $hex) } split /\n/, $session->query_ok(
    q{select model_name, encode(artifact, 'hex') from ai_model_versions where model_name in ('texts', 'rows', 'groups', 'series')});
for my $case (
    ['texts', 1, 'linear_svc', "linear\xffsvc", 'the name of a classifier'],
    ['texts', 1, "\x03\x00\x00\x00\x3c\x00\x00\x00\x00\x00\x00\x00", "\x03\x00\x00\x00\x3c\x00\x00\x00\x01\x00\x00\x00", 'more rows than there can be'],
    ['texts', 2, '{"', '["', 'a configuration that is no object'],
    ['texts', 2, '"seed":42', '"seed":4e', 'a configuration that is no JSON, but nearly'],
    ['texts', 2, '{"preset":"classic"', '{},"labels":"a","b"', 'a configuration that goes on after its end'],
    ['texts', 2, '"classic"', '"\u0000c"', 'a NUL in the configuration'],
    ['texts', 2, 'classic', "class\xedc", 'a configuration that is no UTF-8'],
    ['texts', 2, '"seed":42', '"see":NaN', 'a number that is none'],
    ['texts', 3, 'intent1', "inten\xff1", 'an intent that is no UTF-8'],
    ['texts', 3, 'intent1', "inten\x001", 'a NUL in an intent'],
    ['texts', 4, 'pos', "p\xffs", 'a feature that is no UTF-8'],
    ['rows', 1, 'kind', "k\x00nd", 'a NUL in a target'],
    ['rows', 1, 'logistic', 'holistic', 'an algorithm that there is not'],
    ['rows', 3, 'intent1', "inten\xc31", 'a class that is no UTF-8'],
    ['rows', 4, 'number', "numb\xff\xfe", 'a column that is no UTF-8'],
    ['groups', 4, 'intent1', "inten\xff1", 'a category that is no UTF-8'],
    ['series', 4, 'intent1', "inten\xff1", 'a series that is no UTF-8'],
) {
    my ($name, $section, $from, $to, $what) = @{$case};
    my $bad = unpack 'H*', forged($artifact{$name}, $section, $from, $to);
    $result = $session->query("select import_model('\\x$bad', '${name}_forged')");
    error_is($result, 'XX001', qr/stored model is/, "importing $what");
    like($result->{err}, qr/DETAIL:.*HINT:/s, "$what: a detail and a hint");
}
is($session->query_ok(q{select count(*) from ai_models where model_name like '%_forged'}), '0', 'nothing of it is stored');
# A zone is known to a server or not: the model is read, and its times are refused.
$session->query_ok(q{set timezone = 'Europe/Madrid'; select train_forecast('zoned', 'select ds::timestamptz as ds, number as y from plain')});
my $zoned = pack 'H*', $session->query_ok(q{select encode(artifact, 'hex') from ai_model_versions where model_name = 'zoned'});
$imported = $session->query_ok("select import_model('\\x" . unpack('H*', forged($zoned, 1, 'Europe/Madrid', 'Europe/Utopia')) . "', 'nowhere')");
$result = $session->query("select count(*) from forecast('nowhere', 3, p_version_id => $imported)");
error_is($result, 'XX001', qr/stored model is corrupt/, 'a zone that there is not');
like($result->{err}, qr/DETAIL:.*Europe.Utopia.*HINT:/s, 'a zone that there is not: a detail and a hint');
$session->query_ok("select import_model('\\x" . unpack('H*', with_checksum($artifact{$_})) . "', '${_}_again')") for sort keys %artifact;

# ---- artifacts in the table itself -----------------------------------------------------------------------------------

error_is($session->query("update ai_model_versions set artifact = set_byte(artifact, 100, 7) where id = $second"), '55000', undef,
    'a version cannot be changed');
# Past the trigger, as a broken disk would.
sub damage {
    my ($to, $id) = @_;
    $node->safe_psql('postgres', <<SQL);
set session_replication_role = replica;
update ai_model_versions set artifact = x.bad, artifact_bytes = octet_length(x.bad)
from (select $to as bad from ai_model_versions v where v.id = $id) x where id = $id;
SQL
    return;
}
$node->safe_psql('postgres', "create table original as select id, artifact from ai_model_versions where id in ($first, $second)");
my $original = "(select artifact from original where id = $second)";
$length = $node->safe_psql('postgres', "select octet_length(artifact) from original where id = $second");

my @damages = (
    [ 'emptied', q{''::bytea} ],
    [ 'cut to a half', "substr($original, 1, octet_length($original) / 2)" ],
    [ 'without its last byte', "substr($original, 1, octet_length($original) - 1)" ],
    [ 'zeroed', "decode(repeat('00', octet_length($original)), 'hex')" ],
    [ 'a page of it zeroed', "overlay($original placing decode(repeat('00', 8192), 'hex') from 30001)" ],
    [ 'of another program', q{convert_to('this is not a model', 'UTF8')} ],
    (map { my $at = int($length * $_ / 16); [ "flipped at $at", "set_byte($original, $at, get_byte($original, $at) # 16)" ] } 0 .. 15),
);
my (@wrong, @unnamed);
for my $damage (@damages) {
    my ($what, $to) = @$damage;
    damage($to, $second);
    my $fresh = session($node);
    for my $call ($ask, q{select classify_intent('my card', 'm')}, q{select * from explain_intent('my card', 'm')},
        "select predict_intent('my card', 'm', p_version_id => $second)") {
        my $result = $fresh->query($call);
        push @wrong, "$what: $call: " . ($result->{sqlstate} // 'no error') . " $result->{out}"
            unless !$result->{lost} && ($result->{sqlstate} // '') =~ /^(?:XX001|0A000)$/;
        push @unnamed, "$what: $result->{err}" unless $result->{err} =~ /\bm\b/ && $result->{err} =~ /$name{$second}/;
    }
    push @wrong, "$what: the session is lost" if $fresh->query('select 1')->{out} ne '1';
    $fresh->close;
}
is(join("\n", @wrong), '', scalar(@damages) . ' damaged live versions: XX001 in every function that predicts');
is($unnamed[0] // '', '', 'the error names the model and the version');

# Intact bytes of another model under this one's number and digest.
damage("(select artifact from original where id = $first)", $second);
my $fresh = session($node);
error_is($fresh->query($ask), 'XX001', undef, 'the bytes of another version under this digest: XX001');
# A row that has no checksum is compared by its digest.
my $rows = 'set session_replication_role = replica; update ai_model_versions v set artifact_crc32c =';
my $named = "retrain_artifact_checksum(o.artifact) from original o where v.id = $second and o.id";
$node->safe_psql('postgres', "$rows null where id = $second");
error_is($fresh->query($ask), 'XX001', undef, 'without a checksum the digest itself is compared');
$node->safe_psql('postgres', "$rows $named = $second");
error_is($fresh->query($ask), 'XX001', undef, 'with its own checksum again: XX001');
$node->safe_psql('postgres', 'set session_replication_role = replica; update ai_model_versions v set artifact = o.artifact, '
        . 'artifact_bytes = octet_length(o.artifact) from original o where o.id = v.id');
is($fresh->query_ok($ask), $answer, 'once they are put right, the same session answers right');
$fresh->close;
is($session->query_ok($ask), $answer, 'a session that had the model answers right throughout');

# A live version that cannot be read does not stop the message, the next training or the old version.
damage("substr($original, 1, 1000)", $second);
$fresh = session($node);
$result = $fresh->query(q{select record_interaction('my card has not arrived', p_model_name => 'm') is not null});
is($result->{out}, 't', 'a message is recorded without a prediction') or diag($result->{err});
like($result->{err}, qr/WARNING/, 'and the session is told');
like($fresh->query_ok("select promote_model($first)"), qr/"success": true/, 'the old version is promoted again');
is($fresh->query_ok($ask), $session->query_ok(qq{select (predict_intent('my card has not arrived', 'm', p_version_id => $first))::text}),
    'and answers');
like($fresh->query_ok("select promote_model($second)"), qr/"success": true/, 'even the damaged one can be promoted');
$result = $fresh->query(train_sql(%good, promote => 'gate'));
like($result->{out}, qr/^completed\|t\|/, 'a training passes the gate when the live version cannot be read') or diag($result->{err});
is($fresh->query_ok(q{select (predict_intent('my card has not arrived', 'm')).model_trained}), 't', 'and answers');
$fresh->close;

# ---- other encodings -------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', q{create database latin encoding 'LATIN1' locale 'C' template template0});
$node->safe_psql('postgres', q{create database ascii encoding 'SQL_ASCII' locale 'C' template template0});
my $file = data_file('intent_es_nlpjs_support');
my %es = (model => 'es', config => '{}', source => 'select text, intent, split from small', promote => 'always');
train($node, 'postgres', %es);
my $digest = $session->query_ok(q{select artifact_sha256 from ai_model_versions where model_name = 'es'});
my $question = '¿qué desarrolla tu compañía?';
my $spanish = $session->query_ok("select (predict_intent('$question', 'es')).predicted_intent, classify_intent('$question', 'es')");
for my $database ('latin', 'ascii') {
    $node->safe_psql($database, <<SQL);
create extension pg_retrain;
create table small (id int generated always as identity primary key, text text, intent text, split text);
SQL
    my $other = session($node, database => $database, encoding => $database eq 'latin' ? 'UTF8' : 'SQL_ASCII');
    $other->query_ok("copy small (text, intent, split) from '$file' (format csv, header"
            . ($database eq 'latin' ? ", encoding 'UTF8')" : ')'));
    $result = $other->query(train_sql(%es));
    like($result->{out}, qr/^completed\|t\|/, "$database: a training") or diag($result->{err});
    is($other->query_ok(q{select artifact_sha256 from ai_model_versions}), $digest, "$database: the same artifact as in UTF-8");
    is($other->query_ok("select (predict_intent('$question', 'es')).predicted_intent, classify_intent('$question', 'es')"),
        $spanish, "$database: the same answer");
    error_is($other->query(train_sql(%es, config => '{"' . 'é' x 300 . '": 1}')), '22023', undef,
        "$database: an error about a long key keeps its SQLSTATE");
    error_is($other->query(train_sql(%es, source => q{select text, intent, repeat('é', 300) as split from small})), '22023', undef,
        "$database: an error about a long value keeps its SQLSTATE");
    error_is($other->query(train_sql(%es, config => '{"clé": 1}')), '22023', qr/"clé"/, "$database: an error names the key as it was written");
    is($other->query_ok(qq{select submit_intent_correction(record_interaction('$question', p_model_name => 'es'), 'corrección') ->> 'correct_intent'}),
        'corrección', "$database: a correction");
    is($other->query_ok("select classify_intent('$question', 'es')"), 'corrección', "$database: it answers");
    # Normalised, they are characters that LATIN1 does not have.
    $other->query_ok(q{select record_interaction('medio ½ kilo µ ´', p_detected_intent => 'compra', p_model_name => 'es')});
    is($other->query_ok(q{select clean_dataset('es') is not null, (select count(*) > 0 from detect_drift('es'))}), 't|t',
        "$database: cleaning and drift");
    $other->close;
}

# Any bytes are text in an SQL_ASCII database.
my $ascii = session($node, database => 'ascii', encoding => 'SQL_ASCII');
for my $bytes ('\377', 'caf\303', '\300\257', '\355\240\200', '\365\200\200\200', 'x\200\200\200') {
    error_is($ascii->query("select predict_intent(E'$bytes', 'es')"), '22021', undef, "bytes $bytes as a message: 22021");
    error_is($ascii->query(train_sql(%es, source => "select text || E'$bytes' as text, intent from small")), '22021', undef,
        "bytes $bytes in a training: 22021");
    error_is($ascii->query(train_sql(%es, source => "select text, intent || E'$bytes' as intent from small")), '22021', undef,
        "bytes $bytes in an intent: 22021");
}
$result = $ascii->query(qq{select record_interaction(E'\\377', p_model_name => 'es')});
ok(defined $result->{sqlstate} ? $result->{sqlstate} eq '22021' : $result->{out} ne '', 'such a message is refused or recorded')
    or diag($result->{err});
is($ascii->query_ok('select count(*) from ai_model_versions'), '1', 'nothing came of it');
is($ascii->query_ok(q{select classify_intent('hola', 'es') is not null}), 't', 'the session goes on');
$ascii->close;

# ---- what is read beside the rows of a training ----------------------------------------------------------------------

# Three bytes of a file become a hundred and more; neither they nor the rows of a plan take more memory than a training may.
$session->query_ok(q{create temp table files as
    select convert_to('{"a":[' || repeat('[],', 400000) || '[]]}', 'UTF8') as lists, convert_to('{"a":[' || repeat('1,', 20000000) || '1]}', 'UTF8') as numbers});
$session->query_ok(q{select train_forecast('plan', 'select date ''2026-01-01'' + n as ds, n % 7 as y, n % 3 as price from generate_series(1, 60) n',
    '{"regressors": ["price"]}', p_promote => 'always')});
$session->query_ok(q{set pg_retrain.training_memory = '8MB'});
error_is($session->query(q{select import_xgboost_model(lists, 'lists') from files}), '53200', qr/more memory/, 'a file of many lists: 53200');
error_is($session->query(q{select forecast('plan', 3, p_regressors => 'select date ''2026-03-02'' + n % 9 as ds, 1 as price from generate_series(1, 200000) n')}),
    '53200', qr/more memory/, 'a plan of many rows: 53200');
$session->query_ok('reset pg_retrain.training_memory');
$session->query_ok(q{set statement_timeout = '10ms'});
error_is($session->query(q{select import_xgboost_model(numbers, 'numbers') from files}), '57014', undef, 'reading a file ends when it shall: 57014');
$session->query_ok('reset statement_timeout');

is(session_pid($session), $pid, 'the first session is still the same one');
log_shows_no_crash($node);
done_testing();
