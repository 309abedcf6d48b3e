-- Forgetting a person: the rows go, the versions that learnt from them are named, a training without them is asked for.
-- It reads ai_training_data from end to end: an index by user would cost every recorded message for what happens seldom.

-- Why a training of the model has been asked for and has not been done; null when none has.
create function @extschema@.retrain_requested(p_model_name text) returns text
  language sql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
  select q.reason
  from @extschema@.ai_retrain_requests q
  where q.model_name = p_model_name
    and not exists (
      select from @extschema@.ai_training_runs r
      where r.model_name = q.model_name and r.status = 'completed' and r.started_at > q.requested_at)
  order by q.requested_at
  limit 1
$function$;

-- The versions that may have learnt from a user's rows. A row that was never in a training split taught nothing; one that
-- was may have been in every training since it was recorded. What a query of the caller's own gave cannot be told.
create function @extschema@.retrain_versions_trained_on(p_user_id text, p_model_name text)
  returns table (version_id bigint, version text, status text, certain boolean)
  language sql stable parallel safe rows 10
  set search_path = pg_catalog, pg_temp
as $function$
  select v.id, v.version, v.status, r.id is not null and r.source is null
  from @extschema@.ai_model_versions v
  left join @extschema@.ai_training_runs r on r.id = v.run_id
  where v.model_name = p_model_name
    and (r.id is null or r.source is not null or exists (
      select from @extschema@.ai_training_data d
      where d.model_name = p_model_name
        and d.user_id = p_user_id
        and (d.included_in_training_run = r.id
          or d.created_at <= r.created_at
            and (d.included_in_training_run is not null or d.split in ('train', 'validation')))))
  order by v.id
$function$;

create function @extschema@.forget_user(p_user_id text) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_receipt uuid := gen_random_uuid();
  v_digest text;
  v_model text;
  v_ids uuid[];
  v_messages text[];
  v_conversations text[];
  v_corrections bigint;
  v_feedback bigint;
  v_experiments bigint;
  v_versions jsonb;
  v_uncertain jsonb;
  v_live boolean;
  v_models jsonb := '[]';
  v_queued jsonb := '[]';
  v_total bigint := 0;
begin
  if p_user_id is null or btrim(p_user_id) = '' then
    raise exception 'p_user_id is missing'
      using errcode = 'invalid_parameter_value',
        detail = case when p_user_id is null then 'The id given is null.' else 'The id given is blank.' end,
        hint = 'Pass the user_id that the person''s messages were recorded with.';
  end if;
  v_digest := encode(sha256(convert_to(p_user_id, 'UTF8')), 'hex');

  for v_model in
    select d.model_name from @extschema@.ai_training_data d where d.user_id = p_user_id
    union
    select f.model_name from @extschema@.ai_feedback f where f.user_id = p_user_id
    union
    select e.model_name
    from @extschema@.ai_experiments e
    join @extschema@.ai_experiment_assignments a
      on a.experiment_id = e.id and a.unit_id = p_user_id and a.model_name = e.model_name
    order by 1
  loop
    perform @extschema@.retrain_require_level(v_model, 'admin');
    -- A training at work has the rows in its snapshot: its version has to exist before it can be named.
    perform @extschema@.retrain_lock(v_model, 0);

    select coalesce(array_agg(d.id), '{}'), coalesce(array_agg(distinct d.user_message), '{}'),
      coalesce(array_agg(distinct d.conversation_id) filter (where d.conversation_id is not null), '{}')
    into v_ids, v_messages, v_conversations
    from @extschema@.ai_training_data d
    where d.model_name = v_model and d.user_id = p_user_id;
    select count(*) into v_corrections
    from @extschema@.ai_intent_corrections c
    where c.training_data_id = any (v_ids);
    select
      coalesce(jsonb_agg(jsonb_build_object(
        'version_id', t.version_id, 'version', t.version, 'status', t.status)) filter (where t.certain), '[]'),
      coalesce(jsonb_agg(jsonb_build_object(
        'version_id', t.version_id, 'version', t.version, 'status', t.status)) filter (where not t.certain), '[]'),
      coalesce(bool_or(t.certain and t.status = 'live'), false)
    into v_versions, v_uncertain, v_live
    from @extschema@.retrain_versions_trained_on(p_user_id, v_model) t;

    delete from @extschema@.ai_feedback f
    where f.model_name = v_model
      and (f.user_id = p_user_id or f.user_id is null and f.training_data_id = any (v_ids));
    get diagnostics v_feedback = row_count;
    delete from @extschema@.ai_training_data d where d.id = any (v_ids);
    -- Where the units of an experiment are people.
    delete from @extschema@.ai_experiment_outcomes o
    using @extschema@.ai_experiments e
    where o.experiment_id = e.id and o.unit_id = p_user_id and o.model_name = v_model;
    delete from @extschema@.ai_experiment_exposures x
    using @extschema@.ai_experiments e
    where x.experiment_id = e.id and x.unit_id = p_user_id and x.model_name = v_model;
    delete from @extschema@.ai_experiment_assignments a
    using @extschema@.ai_experiments e
    where a.experiment_id = e.id and a.unit_id = p_user_id and a.model_name = v_model;
    get diagnostics v_experiments = row_count;

    -- What the person wrote and other rows repeat: the verdict on an answer, a sample in a run's report.
    update @extschema@.ai_training_data d
    set user_feedback = null
    where d.model_name = v_model
      and d.conversation_id = any (v_conversations)
      and d.user_feedback = any (v_messages);
    update @extschema@.ai_training_runs r
    set misclassified = (
      select coalesce(jsonb_agg(e.sample order by e.place), '[]')
      from jsonb_array_elements(r.misclassified) with ordinality as e (sample, place)
      where not exists (
        select from unnest(v_messages) m (message)
        where e.sample ->> 'user_message' = m.message
          or char_length(e.sample ->> 'user_message') >= 70 and starts_with(m.message, e.sample ->> 'user_message')))
    where r.model_name = v_model
      and jsonb_typeof(r.misclassified) = 'array'
      and r.misclassified <> '[]';

    insert into @extschema@.ai_forgotten_users (
      receipt_id, model_name, user_digest, messages, corrections, feedback, version_ids, live_version_affected)
    values (
      v_receipt, v_model, v_digest, cardinality(v_ids), v_corrections, v_feedback,
      array(select (e.value ->> 'version_id')::bigint from jsonb_array_elements(v_versions) e), v_live);
    if jsonb_array_length(v_versions) > 0 then
      insert into @extschema@.ai_retrain_requests (model_name, reason)
      values (v_model, format('a person was forgotten (receipt %s)', v_receipt));
      v_queued := v_queued || to_jsonb(v_model);
    end if;

    v_total := v_total + cardinality(v_ids);
    v_models := v_models || jsonb_build_object(
      'model_name', v_model,
      'messages', cardinality(v_ids),
      'corrections', v_corrections,
      'feedback', v_feedback,
      'experiments', v_experiments,
      'versions', v_versions,
      'versions_from_elsewhere', v_uncertain,
      'live_version_affected', v_live);
  end loop;

  return jsonb_build_object(
    'success', true,
    -- Nothing was deleted: there is nothing that a receipt could be of.
    'receipt_id', case when v_models <> '[]' then v_receipt end,
    'user_digest', v_digest,
    'messages_deleted', v_total,
    'models', v_models,
    'retrain_queued', v_queued,
    'forgotten_at', clock_timestamp());
end
$function$;
