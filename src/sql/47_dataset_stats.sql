-- Numbers of a dataset.

-- The keys of the first system's statistics, then those of the third one's, then ours.
create function @extschema@.get_dataset_stats(p_model_name text default 'default') returns jsonb
  language plpgsql stable parallel safe cost 100000
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
begin
  perform @extschema@.retrain_require_messages(p_model_name);
  return (
    with rows as materialized (
      select d.category, d.quality_score, d.dataset_status, d.source,
        (d.corrected_by_human or d.intent_correct is not null) as reviewed
      from @extschema@.ai_training_data d
      where d.model_name = p_model_name
    ), labelled as materialized (
      select l.intent, l.category, l.split, l.text_key, l.was_corrected, l.was_escalated, l.confidence_score
      from @extschema@.ai_labelled_data l
      where l.model_name = p_model_name
    ), intents as (
      select l.intent, count(*) as n from labelled l group by l.intent
    )
    select jsonb_build_object(
      'model_name', p_model_name,
      'total_samples', (select count(*) from labelled),
      'unique_intents', (select count(*) from intents),
      'intent_distribution', (select coalesce(jsonb_object_agg(i.intent, i.n), '{}')
        from (select i.intent, i.n from intents i order by i.n desc, i.intent limit 30) i),
      'category_distribution', (select coalesce(jsonb_object_agg(c.category, c.n), '{}')
        from (
          select l.category, count(*) as n
          from labelled l
          where l.category <> ''
          group by l.category
          order by count(*) desc, l.category
          limit 10
        ) c),
      'corrected_samples', (select count(*) filter (where l.was_corrected) from labelled l),
      'escalated_samples', (select count(*) filter (where l.was_escalated) from labelled l),
      'avg_confidence', (select round(avg(l.confidence_score), 1) from labelled l),
      'min_samples_per_intent', (select coalesce(min(i.n), 0) from intents i),
      'max_samples_per_intent', (select coalesce(max(i.n), 0) from intents i),
      'total', (select count(*) from rows),
      'byCategory', (
        select coalesce(jsonb_agg(to_jsonb(c) order by c.category, c."qualityScore"), '[]')
        from (
          select r.category, r.quality_score as "qualityScore", count(*) as _count
          from rows r
          group by r.category, r.quality_score
        ) c),
      'highQuality', (select count(*) from rows r where r.quality_score >= 4),
      'byIntent', (select coalesce(jsonb_object_agg(i.intent, i.n), '{}') from intents i),
      'byStatus', (select coalesce(jsonb_object_agg(s.dataset_status, s.n), '{}')
        from (select r.dataset_status, count(*) as n from rows r group by 1) s),
      'bySource', (select coalesce(jsonb_object_agg(s.source, s.n), '{}')
        from (select r.source, count(*) as n from rows r group by 1) s),
      'byQuality', (select coalesce(jsonb_object_agg(coalesce(s.quality_score::text, 'none'), s.n), '{}')
        from (select r.quality_score, count(*) as n from rows r group by 1) s),
      'bySplit', (select coalesce(jsonb_object_agg(coalesce(s.split, 'none'), s.n), '{}')
        from (select l.split, count(*) as n from labelled l group by 1) s),
      'reviewed', (select count(*) from rows r where r.reviewed),
      'distinct_texts', (select count(distinct l.text_key) from labelled l),
      'conflicting_texts', (
        select count(*) from (select from labelled l group by l.text_key having count(distinct l.intent) > 1) c)));
end
$function$;
