-- A model that is new in a large table: the statistics know the others' messages and none of its own, so that the planner
-- expects one row of it. What a reviewer and a dashboard ask reads every row a few times at most. Rows read are counted, not time.
begin;
select plan(9);

create function rows_read(p_sql text) returns bigint language plpgsql as $$
declare
  v_before bigint;
  v_after bigint;
  c_read constant text := $q$select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) from pg_stat_xact_user_tables
    where relid in ('ai_training_data'::regclass, 'ai_review_leases'::regclass)$q$;
begin
  execute c_read into v_before;
  execute p_sql;
  execute c_read into v_after;
  return v_after - v_before;
end
$$;

insert into ai_training_data (model_name, user_message, detected_intent, confidence_score)
select 'old', 'mensaje ' || n, 'intento ' || n % 7, n % 101 from generate_series(1, 20000) n;
analyze ai_training_data;
insert into ai_training_data (model_name, user_message, detected_intent, confidence_score)
select 'new', 'pregunta ' || n, 'intento ' || n % 5, n % 101 from generate_series(1, 2000) n;
update ai_training_data set dataset_status = 'rejected' where model_name = 'new' and confidence_score % 10 = 3;

select cmp_ok(rows_read(format('select count(*) from claim_review_items(%L, %s, 30, ''new'')', c.reviewer, c.rows)), '<', 30000::bigint,
  format('%s claims %s messages, for the %s. time', c.reviewer, c.rows, c.turn))
from (values ('ana', 20, 1), ('ana', 20, 2), ('ben', 1000, 1), ('ben', 1000, 2)) c (reviewer, rows, turn);
select is(count(*), 1020::bigint, 'and both hold them') from ai_review_leases;
select cmp_ok(rows_read(format('select count(*) from get_review_queue(20, %L, ''new'')', s.strategy)), '<', 30000::bigint,
  'the queue by ' || s.strategy)
from unnest(array['margin', 'disagreement']) s (strategy);
select cmp_ok(rows_read('select count(*) from v_pending_review where model_name = ''new'''), '<', 30000::bigint, 'what waits');
select cmp_ok(rows_read('select get_ai_training_metrics(30, ''new'')'), '<', 30000::bigint, 'the metrics');

select * from finish();
rollback;
