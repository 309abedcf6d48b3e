-- Segments: values that make no sense.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- a day that never comes
select rfm('select 1 as customer_id, now() as purchased_at, 2 as amount', 'infinity');
select rfm('select 1 as customer_id, now() as purchased_at, 2 as amount', '-infinity');

-- rules that fit nobody
\set VERBOSITY terse
insert into ai_segment_rules (segment, r_min, r_max) values ('x', 4, 2);
insert into ai_segment_rules (segment, f_min, f_max) values ('x', 2, 1);
update ai_segment_rules set m_max = 3 where segment = 'Champions';
\set VERBOSITY default
select count(*) filter (where not shipped) as made, count(*) as rules from ai_segment_rules;

drop extension pg_retrain cascade;
