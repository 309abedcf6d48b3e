-- p_source: what it must be and give. A query runs as the caller and cannot write.
create extension pg_retrain;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

create function attempt(p_source text) returns text language plpgsql as $$
declare
  v_message text;
  v_detail text;
  v_hint text;
  v_run ai_training_runs;
begin
  v_run := train_intent_model('m', p_source => p_source);
  return concat_ws(': ', v_run.status, v_run.error_message);
exception when others then
  get stacked diagnostics v_message = message_text, v_detail = pg_exception_detail, v_hint = pg_exception_hint;
  return concat_ws(E'\n  ', format('%s %s', sqlstate, v_message), nullif(v_detail, ''), nullif(v_hint, ''));
end
$$;
create table victims (x integer);
insert into victims values (1);

\echo not one SELECT
select attempt('');
select attempt('-- nothing');
select attempt('select');
select attempt('selec text, intent from victims');
select attempt('insert into victims values (2) returning ''a'' as text, ''b'' as intent');
select attempt('delete from victims');
select attempt('drop table victims');
select attempt('truncate victims');
select attempt('copy victims to stdout');
select attempt('explain select 1');
select attempt('commit');
select attempt('set work_mem = 64');
select attempt('select ''a'' as text, ''b'' as intent; drop table victims');
select attempt('with w as (delete from victims returning x) select x::text as text, ''b'' as intent from w');
select attempt('select 1 as text into other');
select attempt('create table other as select 1');
select attempt('select $1 as text, ''b'' as intent');
select attempt('do $x$ begin end $x$');

\echo not the right columns
select attempt('select 1');
select attempt('select ''a'' as text');
select attempt('select ''a'' as intent');
select attempt('values (''a'', ''b'')');
select attempt('select ''a'' as "Text", ''b'' as intent');
select attempt('select ''a'' as text, ''a'' as text, ''b'' as intent');
select train_forecast('f', 'select now() as ds, 1 as y, 2 as y');

\echo not the right types
select attempt('select 1 as text, ''b'' as intent');
select attempt('select ''a'' as text, 1 as intent');
select attempt('select array[''a''] as text, ''b'' as intent');
select attempt('select ''a'' as text, ''b'' as intent, ''1'' as weight');
select attempt('select ''a'' as text, ''b'' as intent, 1 as split');
select attempt('select ''a'' as text, ''b'' as intent, ''2026-01-01'' as created_at');
select attempt('select ''a'' as text, ''b'' as intent, time ''10:00'' as created_at');

\echo not the right values
select attempt('select ''a'' as text, ''b'' as intent, 0 as weight');
select attempt('select ''a'' as text, ''b'' as intent, -1::numeric as weight');
select attempt('select ''a'' as text, ''b'' as intent, ''NaN''::float8 as weight');
select attempt('select ''a'' as text, ''b'' as intent, ''inf''::float4 as weight');
select attempt('select ''a'' as text, ''b'' as intent, 1e39::float8 as weight');
select attempt('select ''a'' as text, ''b'' as intent, 1e-300::float8 as weight');
select regexp_replace(attempt('select ''a'' as text, ''b'' as intent, 1e400::numeric as weight'), '0{20,}', '0...');
select attempt('select repeat(''largo '', 20) as text, ''b'' as intent, ''294276-12-31 23:59:59''::timestamp as created_at');
select attempt('select ''a'' as text, ''b'' as intent, date ''5874897-12-31'' as created_at');
select attempt('select ''a'' as text, ''b'' as intent, ''held out'' as split');
select attempt('select ''a'' as text, repeat(''b'', 1025) as intent');
select attempt('select ''a'' as text, repeat(''b'', 1000000) as intent');
select attempt('select repeat(''long '', 1000) as text, ''b'' as intent, ''nowhere'' as split');

\echo errors of the query itself pass through
select attempt('select text, intent from nowhere');
select attempt('select (1 / 0)::text as text, ''b'' as intent');
select attempt('select ''a'' as text, ''b'' as intent from generate_series(1, 30) n where 1 / (n - 25) > 2');

\echo functions that it calls cannot write, and the session can afterwards
create function sneaky() returns text language plpgsql as $$ begin insert into victims values (3); return 'b'; end $$;
select attempt('select ''a'' as text, sneaky() as intent');
begin;
select attempt('select ''a'' as text, sneaky() as intent');
insert into victims values (4);
commit;
select array_agg(x order by x) from victims;

\echo nothing of it all was recorded
select count(*) from ai_training_runs;
select count(*) from ai_model_versions;

\echo types that do: domains, enums, varchar, char, name, numeric weights, dates, timestamps
create domain label as varchar(20);
create type side as enum ('left', 'right');
select attempt('select (''text '' || n)::varchar as text, (''left'')::label as intent from generate_series(1, 30) n');
select status, training_samples, total_intents from train_intent_model('types', p_source => $$
  select ('text ' || s || n)::char(40) as text, s as intent, n::numeric / 7 as weight, 'train'::name as split,
    date '2026-01-01' + n as created_at, n as "another column"
  from generate_series(1, 20) n, unnest(enum_range(null::side)) s $$);
select status, training_samples, validation_samples, test_samples from train_intent_model('types', p_promote => 'never', p_source => $$
  with recursive n (n) as (select 1 union all select n + 1 from n where n < 40)
  select 'text ' || n as text, case when n % 2 = 0 then 'even' else 'odd' end as intent, null::real as weight,
    case when n <= 5 then 'test' when n <= 10 then 'dev' else 'train' end as split, timestamp '2026-01-01' as created_at
  from n $$);

\echo blanks around an intent or a split, such as those of char(n), are no part of it
select status, training_samples, test_samples, total_intents from train_intent_model('padded', p_source => $$
  select 'text ' || n as text, case n % 4 when 0 then 'even' when 2 then E' even\n' else 'odd' end::char(10) as intent,
    case when n <= 5 then 'test' else 'train' end::char(10) as split
  from generate_series(1, 40) n $$);
select labels from ai_model_versions where model_name = 'padded';

\echo nor is what cannot be seen a name: such rows are left out
select training_samples, total_intents, dataset_filters - 'digest' as dataset from train_intent_model('unseen', p_source => $$
  select 'text ' || n as text, case n % 4 when 0 then 'even' when 1 then 'odd' when 2 then U&'\00A0' else U&' \200B\FEFF' end as intent,
    'train' as split
  from generate_series(1, 80) n $$);

\echo as the caller: rights, search_path, temporary tables
create role regress_retrain_trainer;
select grant_retrain_access('regress_retrain_trainer', 'trainer') ->> 'success';
create schema elsewhere;
create table elsewhere.messages as
  select 'text ' || n as text, 'intent ' || n % 2 as intent from generate_series(1, 40) n;
select attempt('select text, intent from messages') ~ '^42P01';
set search_path = public, elsewhere;
select attempt('select text, intent from messages');
reset search_path;
create temporary table mine as table elsewhere.messages;
select attempt('select text, intent from mine');
grant execute on function attempt(text) to regress_retrain_trainer;
set role regress_retrain_trainer;
select attempt('select text, intent from elsewhere.messages');
select attempt('select ''text '' || n as text, ''intent '' || n % 2 as intent from generate_series(1, 40) n');
reset role;
select revoke_retrain_access('regress_retrain_trainer') ->> 'success';
revoke all on function attempt(text) from regress_retrain_trainer;
drop role regress_retrain_trainer;

drop function attempt, sneaky;
drop table elsewhere.messages;
drop schema elsewhere;
drop table victims;
drop extension pg_retrain;
drop domain label;
drop type side;
