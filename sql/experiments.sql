-- Experiments: definition, assignment, exposure, outcomes.
create extension pg_retrain;
\set SHOW_CONTEXT never

-- ---- every form of a definition ----
select name, variants, weights, control, version_ids, metrics, ends_at, stopped_at, traffic, alpha, planned_units, model_name,
  starts_at <= clock_timestamp() as started, length(salt) as salt_length
from create_experiment('plain');
select variants, weights, control from create_experiment('three', '["a", "b", "c"]');
select variants, weights, control from create_experiment('by name', '{"treatment": 1, "control": 3}');
select variants, weights, control from create_experiment('no control', '{"b": 0.5, "a": 0.5}');
select variants, weights, control from create_experiment('control last', '["new", "control"]');
select variants, weights, control from create_experiment('control marked',
  '[{"name": "a", "weight": 9}, {"name": "b", "weight": 1, "is_control": true}]');
select jsonb_pretty(metrics) from create_experiment('metrics', p_metrics =>
  '["orders", {"name": "conversion", "kind": "binary"}, {"name": "returns", "kind": "count", "goal": "decrease", "guardrail": true,
    "max_regression": 0.05, "covariate": "returns_before", "description": "parcels"}]');
select m.value ->> 'name' as name, m.value ->> 'kind' as kind
from create_experiment('metrics by name', p_metrics => '{"revenue": {}, "conversion": "binary", "visits": {"kind": "count"}}') e,
  jsonb_array_elements(e.metrics) m;
select model_name from create_experiment('of a model', p_model_name => 'precios');
select model_name from ai_models order by 1;

-- ---- assignment ----
set timezone = 'UTC';
select salt from create_experiment('shop', p_metrics => '[{"name": "conversion", "kind": "binary"}, "revenue"]', p_salt => 'pepper');
-- by a formula that any program can follow
select retrain_experiment_bucket('pepper', 'variant', 'u1') as bucket,
  (('x' || left(encode(sha256('pepper:variant:u1'), 'hex'), 13))::bit(52)::bigint / power(2::double precision, 52)) as formula;
-- unaligned: how wide an emoji is differs between versions of psql
\a
select u, assign_variant('shop', u) as variant, assign_variant('shop', u) as again, get_variant('shop', u) as looked_up
from unnest(array['u1', 'u2', 'u3', 'ñandú', '😀', ' ']) u;
\a
select count(*) from ai_experiment_assignments;
-- looking writes nothing
select get_variant('shop', 'u4');
select count(*) from ai_experiment_assignments;
-- many at once: in their order, the same answers, one row each
select * from assign_variants('shop', array['u3', 'u4', 'u1', 'u4']);
select count(*) from ai_experiment_assignments;
select * from assign_variants('shop', '{}');
-- one salt divides alike, another one otherwise
select (create_experiment('same salt', p_salt => 'pepper')).name;
select (create_experiment('other salt', p_salt => 'paprika')).name;
select count(*) filter (where get_variant('shop', u) = get_variant('same salt', u)) as same,
  count(*) filter (where get_variant('shop', u) = get_variant('other salt', u)) between 420 and 580 as independent
from (select 'u' || i as u from generate_series(1, 1000) i) x;

-- more traffic lets units in and moves none; less keeps those that are in
select traffic from create_experiment('careful', '{"control": 0.8, "treatment": 0.2}', p_traffic => 0.1, p_salt => 's');
create table seen as
select 10 as percent, unit_id, variant from assign_variants('careful', array(select 'u' || i from generate_series(1, 20000) i));
select traffic from set_experiment_traffic('careful', 0.5);
insert into seen
select 50, unit_id, variant from assign_variants('careful', array(select 'u' || i from generate_series(1, 20000) i));
select traffic from set_experiment_traffic('careful', 1);
insert into seen
select 100, unit_id, variant from assign_variants('careful', array(select 'u' || i from generate_series(1, 20000) i));
select percent, round(count(variant) / 20000.0, 2) as takes_part,
  round(count(*) filter (where variant = 'treatment')::numeric / count(variant), 2) as treated
from seen group by percent order by percent;
select count(*) as moved
from seen a join seen b on b.unit_id = a.unit_id and b.percent > a.percent and a.variant is distinct from b.variant and a.variant is not null;
select traffic from set_experiment_traffic('careful', 0);
select count(variant) as still_in from assign_variants('careful', array(select 'u' || i from generate_series(1, 100) i));
select assign_variant('careful', 'a new one');

-- a million units within 0.2 % of the ratio
select count(*) as units, max(abs(share - expected)) < 0.002 as as_told
from (
  select v.variant, count(*) / 1000000.0 as share, case v.variant when 'a' then 0.5 when 'b' then 0.3 else 0.2 end as expected
  from generate_series(1, 1000000) i
  cross join lateral retrain_hash_variant('s', 'unit ' || i, '{a,b,c}', '{0.5,0.3,0.2}', 1) v (variant)
  group by v.variant
) x;

-- before, during and after
select (create_experiment('later', p_starts_at => clock_timestamp() + interval '1 hour')).name;
select assign_variant('later', 'u'), get_variant('later', 'u');
select (create_experiment('over', p_starts_at => '2026-01-01', p_ends_at => '2026-02-01')).name;
select assign_variant('over', 'u'), get_variant('over', 'u');
select * from assign_variants('over', '{u}');
select assign_variant('three', 'u') is not null as assigned;
select stop_reason, stopped_at <= clock_timestamp() as stopped from stop_experiment('three', 'the summer is over');
select assign_variant('three', 'u');

-- ---- exposure ----
select r - 'exposed_at' as exposed from record_exposure('shop', 'u1') r;
select count(*), min(exposed_at) as first from ai_experiment_exposures \gset
-- again: nothing changes
select r ->> 'recorded' as recorded from record_exposure('shop', 'u1', '{"revenue": 4}') r;
select count(*), min(exposed_at) = :'first' as unchanged, min(covariates::text) as covariates from ai_experiment_exposures;
select record_exposure('shop', 'u2', '{"revenue": 40.5, "conversion": true}') ->> 'recorded' as recorded;
select covariates from ai_experiment_exposures where unit_id = 'u2';
select record_exposure('shop', 'u3', '{"revenue": null}') ->> 'recorded' as recorded;
select covariates from ai_experiment_exposures where unit_id = 'u3';
select record_exposure('over', 'u'), record_exposure('later', 'u');
-- an earlier one that comes later is the first
select (create_experiment('backfill', p_starts_at => '2026-01-01', p_metrics => '["revenue"]', p_salt => 's')).name;
select assign_variant('backfill', 'u') is not null as assigned;
select record_exposure('backfill', 'u', p_occurred_at => '2026-01-10') ->> 'exposed_at' as at;
select record_exposure('backfill', 'u', p_occurred_at => '2026-01-12') ->> 'exposed_at' as at;
select record_exposure('backfill', 'u', p_occurred_at => '2026-01-08') ->> 'exposed_at' as at;
select exposed_at from ai_experiment_exposures where exposed_at < '2026-02-01';
select record_exposure('backfill', 'u', p_occurred_at => '2025-12-31');

-- ---- outcomes ----
select record_outcome('shop', 'u1', '{"conversion": true, "revenue": 12.5}');
select record_outcome('shop', 'u4', '{"revenue": 1}');
select record_outcome('shop', 'nobody', '{"revenue": 1}');
select record_outcome('backfill', 'u', '{"revenue": 1}', '2026-01-07');
select record_outcome('backfill', 'u', '{"revenue": 2}', '2026-01-09');
select record_outcome('backfill', 'u', '{"revenue": 4}', '2025-01-09');
select record_outcome('three', 'u', '{"conversion": 1}');
select record_outcome('over', 'u', '{"conversion": 1}');
select record_outcome('backfill', 'u', '{"revenue": 8}', p_idempotency_key => 'order 7') ->> 'duplicate' as duplicate;
select record_outcome('backfill', 'u', '{"revenue": 8}', p_idempotency_key => 'order 7') ->> 'duplicate' as duplicate;
select outcome, idempotency_key from ai_experiment_outcomes order by id;
-- counted from the exposure on, summed
select variant, n, mean from get_experiment_results('backfill') where n > 0;
-- a retry hears of the outcome that is stored, at its own time, also after the end; a key of another unit's outcome records nothing
select (create_experiment('retries', p_starts_at => '2026-01-01', p_metrics => '["revenue"]', p_salt => 's')).name;
select assign_variant('retries', 'a') is not null as a, assign_variant('retries', 'b') is not null as b;
create role regress_recorder;
select grant_retrain_access('regress_recorder', 'recorder', 'default') is not null as granted;
set role regress_recorder;
select record_outcome('retries', 'a', '{"revenue": 1}', '2026-01-05', 'order 8') - 'variant' as first;
select record_exposure('retries', 'a', p_occurred_at => '2026-01-06') ->> 'recorded' as exposed;
select record_outcome('retries', 'a', '{"revenue": 1}', p_idempotency_key => 'order 8') - 'variant' as again;
select record_exposure('retries', 'b', p_occurred_at => '2026-01-06') ->> 'recorded' as exposed;
-- an earlier exposure that is recorded later brings what was known before it
select record_exposure('retries', 'b', '{"revenue": 5}', '2026-01-05') ->> 'recorded' as earlier;
select record_exposure('retries', 'b', '{"revenue": 6}', '2026-01-06') ->> 'recorded' as later;
select record_exposure('retries', 'b', null, '2026-01-04') ->> 'recorded' as earliest;
select record_outcome('retries', 'b', '{"revenue": 2}', p_idempotency_key => 'order 8') - 'variant' as of_another;
select record_outcome('retries', 'b', '{"revenue": 4}', p_idempotency_key => 'order 9') - 'variant' as first;
reset role;
select exposed_at, covariates from ai_experiment_exposures x
where unit_id = 'b' and experiment_id = (select id from ai_experiments where name = 'retries');
select stopped_at is not null as stopped from stop_experiment('retries');
select record_outcome('retries', 'b', '{"revenue": 4}', p_idempotency_key => 'order 9') - 'variant' as after_the_end;
select record_outcome('retries', 'b', '{"revenue": 4}', p_idempotency_key => 'order 10') - 'variant' as new_after_the_end;
select sum(n * mean) as revenue from get_experiment_results('retries');
select revoke_retrain_access('regress_recorder') is not null as revoked;
drop role regress_recorder;
delete from ai_experiments where name = 'retries';

-- ---- the end of an experiment that was deleted, and of a model ----
delete from ai_models where model_name = 'precios';
select count(*) > 0 as there from ai_experiment_assignments a join ai_experiments e on e.id = a.experiment_id where e.name = 'backfill';
delete from ai_experiments where name = 'backfill';
select count(*) from ai_experiment_assignments where experiment_id not in (select id from ai_experiments);
select count(*) from ai_experiment_exposures where experiment_id not in (select id from ai_experiments);
select count(*) from ai_experiment_outcomes where experiment_id not in (select id from ai_experiments);
select (create_experiment('backfill')).name;

-- a person is forgotten
select r -> 'models' as models from forget_user('u1') r;
select count(*) from ai_experiment_assignments where unit_id = 'u1' and experiment_id = (select id from ai_experiments where name = 'shop');
select count(*) from ai_experiment_outcomes where unit_id = 'u1';

-- ---- variants that are versions of a model ----
insert into ai_training_data (user_message, detected_intent, source)
select format('%s %s', w.word, i), w.intent, 'imported'
from generate_series(1, 12) i, (values ('quiero una factura', 'factura'), ('dónde está mi pedido', 'pedido')) w (word, intent);
select deployed from train_intent_model(p_config => '{"preset": "classic"}');
select deployed from train_intent_model(p_config => '{"preset": "classic", "c": 0.5}', p_promote => 'never');
select variants, control from create_experiment('versions', (
  select jsonb_build_array(
    jsonb_build_object('name', 'live', 'model_version_id', min(id)), jsonb_build_object('name', 'new', 'model_version_id', max(id)))
  from ai_model_metadata), p_salt => 's');
select assign_variant('versions', 'ana') as ana, assign_variant('versions', 'eva') as eva;
select u.unit, p.predicted_intent, p.model_version = (select m.version from ai_model_metadata m
    where m.id = experiment_version('versions', get_variant('versions', u.unit))) as by_its_version
from (values ('ana'), ('eva')) u (unit)
cross join lateral predict_intent('mi factura', p_version_id => experiment_version('versions', assign_variant('versions', u.unit))) p;
-- outside the experiment: the live version
select predicted_intent from predict_intent('mi factura', p_version_id => experiment_version('versions', null));
-- what it serves stays as long as it runs
select drop_model_version(max(id)) from ai_model_metadata;
\echo :LAST_ERROR_SQLSTATE
update ai_models set keep_versions = 1 where model_name = 'default';
do $$ begin
  for i in 1 .. 3 loop perform train_intent_model(p_config => '{"preset": "classic"}', p_promote => 'always'); end loop;
end $$;
select count(*) as versions, count(*) filter (where m.id in (select unnest(e.version_ids) from ai_experiments e where e.name = 'versions')) as served
from ai_model_metadata m;
select (stop_experiment('versions')).stopped_at is not null as stopped;
select deployed from train_intent_model(p_config => '{"preset": "classic"}', p_promote => 'always');
select count(*) as versions from ai_model_metadata;
select create_experiment('of another model', (select jsonb_build_array('a', jsonb_build_object('name', 'b', 'model_version_id', max(id)))
  from ai_model_metadata), p_model_name => 'precios');

-- ---- planning ----
select experiment_sample_size(0.1, 0.2) as share, experiment_sample_size(1, 0.5, p_stddev => 1) as mean,
  experiment_sample_size(1, 1, p_stddev => 1, p_power => 0.9) as mean_90, experiment_sample_size(-1, -0.5, p_stddev => 1) as loss;
select round(experiment_power(0.1, 0.2, 3841)::numeric, 4) as share, round(experiment_power(1, 0.5, 64, 1)::numeric, 4) as mean,
  round(experiment_power(0.1, 0.2, 3841, p_treatment_ratio => 3)::numeric, 4) as more_treated;
drop extension pg_retrain;
