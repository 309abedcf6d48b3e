-- A table without statistics, as every table is for its first minute or, inside one transaction, to its end: what is asked
-- for each message reads a few rows, and what is asked once reads every row a few times. Rows read are counted, not time.
begin;
select plan(9);

create role fresh_recorder;
create role fresh_reader;
select grant_retrain_access('fresh_recorder', 'recorder', 'fresh');
select grant_retrain_access('fresh_reader', 'reader', 'fresh');

create function rows_read() returns bigint language sql as $$
  select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
  from pg_stat_xact_user_tables where relid = 'ai_training_data'::regclass $$;
-- Runs a statement as a role and gives how many rows of ai_training_data it read.
create function rows_read_by(p_role text, p_sql text) returns bigint language plpgsql as $$
declare
  v_before bigint := rows_read();
begin
  execute format('set local role %I', p_role);
  execute p_sql;
  reset role;
  return rows_read() - v_before;
end
$$;
create temporary view record_more as
select $$
  select count(record_interaction('otro ' || n, 'respuesta', 'intento ' || n % 7, 90, 'fresh',
    p_conversation_id => 'd' || n / 2, p_idempotency_key => 'l' || n)) from generate_series(1, 1000) n $$::text as sql;
create temporary view record_again as
select $$
  select count(record_interaction('mensaje ' || n, p_model_name => 'fresh', p_idempotency_key => 'k' || n))
  from generate_series(1, 1000) n $$::text as sql;

-- What an application has stored in its first minute, by the same calls, from two sessions.
create function record_as_application(p_first integer, p_last integer) returns bigint language plpgsql as $$
declare
  v_count bigint;
begin
  set local role fresh_recorder;
  select count(record_interaction('mensaje ' || n, 'respuesta', 'intento ' || n % 7, 90, 'fresh',
    p_conversation_id => 'c' || n / 2, p_idempotency_key => 'k' || n)) into v_count
  from generate_series(p_first, p_last) n;
  reset role;
  return v_count;
end
$$;
select is(record_as_application(1, 1000), 1000::bigint, '1 000 messages are recorded');
discard plans;
select is(record_as_application(1001, 2000), 1000::bigint, 'and 1 000 more');
select is((select reltuples from pg_class where oid = 'ai_training_data'::regclass), -1::real, 'the table has no statistics');
-- Another session plans anew.
discard plans;
select cmp_ok(rows_read_by('fresh_recorder', sql), '<', 20000::bigint, 'recording them once more') from record_again;
select is((select count(*) from ai_training_data where model_name = 'fresh'), 2000::bigint, 'they are not there twice');
select cmp_ok(rows_read_by('fresh_recorder', sql), '<', 20000::bigint, 'recording others of a conversation each') from record_more;
select cmp_ok(rows_read_by('fresh_reader', $$ select count(*) from export_training_dataset('csv', p_model_name => 'fresh') $$),
  '<', 20000::bigint, 'the export as csv');
select cmp_ok(rows_read_by('fresh_reader',
    $$ select count(*) from export_training_dataset('chat_jsonl', p_model_name => 'fresh') $$), '<', 20000::bigint,
  'the export of conversations');
select cmp_ok(rows_read_by('fresh_reader', $$ select export_modelfile(p_min_quality => null, p_model_name => 'fresh') $$),
  '<', 20000::bigint, 'the Modelfile');

select * from finish();
rollback;
