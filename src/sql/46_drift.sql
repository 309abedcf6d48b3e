-- Drift: whether the messages of late differ from those before.
--
-- Sources: Good, "The population frequencies of species" (1953) for the share of unseen words; Press et al., Numerical
-- Recipes, 3rd edition, 6.2 (incomplete gamma) and 14.3 (Kolmogorov-Smirnov, with Stephens' small-sample correction);
-- Abramowitz and Stegun 26.4 (chi-square); Holm (1979).

-- Upper tail of the gamma distribution, Q(a, x): the series below a + 1, Lentz's continued fraction above. Absolute
-- error below 1e-11 for a up to 1000, relative error below 1e-10 in the upper tail down to 1e-300.
create function @extschema@.retrain_gamma_upper(p_a double precision, p_x double precision) returns double precision
  language plpgsql immutable strict parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  -- Lanczos, g = 7, n = 9.
  c_lanczos constant double precision[] := array[
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  v_z double precision := p_a - 1;
  v_lanczos double precision := c_lanczos[1];
  v_log_factor double precision;
  v_sum double precision;
  v_term double precision;
  v_b double precision;
  v_c double precision;
  v_d double precision;
  v_an double precision;
begin
  if p_a <= 0 or p_x < 0 then
    raise exception 'the arguments of the gamma distribution are out of range'
      using errcode = 'invalid_parameter_value', detail = format('They are %s and %s.', p_a, p_x);
  end if;
  if p_x = 0 then
    return 1;
  end if;
  if p_x = 'Infinity' then
    return 0;
  end if;
  for v_i in 1 .. 8 loop
    v_lanczos := v_lanczos + c_lanczos[v_i + 1] / (v_z + v_i);
  end loop;
  v_log_factor := p_a * ln(p_x) - p_x
    - (0.5 * ln(2 * pi()) + (v_z + 0.5) * ln(v_z + 7.5) - (v_z + 7.5) + ln(v_lanczos));
  if v_log_factor < -700 then
    return case when p_x < p_a then 1 else 0 end;
  end if;
  if p_x < p_a + 1 then
    v_term := 1 / p_a;
    v_sum := v_term;
    for v_i in 1 .. 10000 loop
      v_term := v_term * p_x / (p_a + v_i);
      v_sum := v_sum + v_term;
      exit when v_term < v_sum * 1e-16;
    end loop;
    return greatest(0, 1 - exp(v_log_factor) * v_sum);
  end if;
  v_b := p_x + 1 - p_a;
  v_c := 1e300;
  v_d := 1 / v_b;
  v_sum := v_d;
  for v_i in 1 .. 10000 loop
    v_an := -v_i * (v_i - p_a);
    v_b := v_b + 2;
    v_d := v_an * v_d + v_b;
    v_d := 1 / case when abs(v_d) < 1e-300 then 1e-300 else v_d end;
    v_c := v_b + v_an / v_c;
    v_c := case when abs(v_c) < 1e-300 then 1e-300 else v_c end;
    v_sum := v_sum * v_d * v_c;
    exit when abs(v_d * v_c - 1) < 1e-15;
  end loop;
  return least(1, exp(v_log_factor) * v_sum);
end
$function$;

-- Upper tail of chi-square.
create function @extschema@.retrain_chi_square_upper(p_x double precision, p_df integer) returns double precision
  language sql immutable strict parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
  select @extschema@.retrain_gamma_upper(p_df / 2.0::double precision, p_x / 2)
$function$;

-- Both tails of the standard normal: erfc(|z| / sqrt 2) is the upper tail of chi-square with one degree of freedom.
create function @extschema@.retrain_normal_two_sided(p_z double precision) returns double precision
  language sql immutable strict parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
  select case when abs(p_z) > 37 then 0 else @extschema@.retrain_gamma_upper(0.5, p_z * p_z / 2) end
$function$;

-- Upper tail of Kolmogorov's distribution, absolute error below 1e-12. Below 1.18 the theta function's other series,
-- which converges there.
create function @extschema@.retrain_kolmogorov_upper(p_lambda double precision) returns double precision
  language plpgsql immutable strict parallel safe cost 1000
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_k double precision;
begin
  if p_lambda < 0.2 then
    return 1;
  end if;
  if p_lambda > 18 then
    return 0;
  end if;
  -- The exponents are cut where exp() would underflow, which is an error.
  if p_lambda < 1.18 then
    v_k := pi() * pi() / (8 * p_lambda * p_lambda);
    return 1 - sqrt(2 * pi()) / p_lambda
      * (exp(-v_k) + exp(-least(9 * v_k, 700)) + exp(-least(25 * v_k, 700)) + exp(-least(49 * v_k, 700)));
  end if;
  v_k := 2 * p_lambda * p_lambda;
  return 2 * (exp(-v_k) - exp(-least(4 * v_k, 700)) + exp(-least(9 * v_k, 700)));
end
$function$;

-- Compares the live messages of the last p_window with those of the p_baseline before it.
--   new_words   a message has a word that no other message of the baseline has. Good's leave-one-out rate in the
--               baseline against the rate in the window; two-proportion z-test. Effect: difference of the shares.
--   labels      counts of detected intents; chi-square test of homogeneity, the rare ones pooled until each cell has or
--               expects at least five on the smaller side. Effect: population stability index.
--   confidence  confidence_score; two-sample Kolmogorov-Smirnov test. Effect: its D.
-- A test below 50 messages on either side is insufficient and not counted by the correction.
create function @extschema@.retrain_drift(p_model_name text, p_window interval, p_baseline interval)
  returns table (
    aspect text,
    test text,
    verdict text,
    statistic double precision,
    effect double precision,
    p_value double precision,
    p_adjusted double precision,
    window_rows bigint,
    baseline_rows bigint,
    detail jsonb)
  language plpgsql stable parallel safe cost 1000000 rows 3
  set search_path = pg_catalog, pg_temp
  set jit = off
as $function$
declare
  c_min_rows constant integer := 50;
  c_alpha constant double precision := 0.01;
  c_max_texts constant integer := 5000;
  v_now timestamptz := clock_timestamp();
  v_split timestamptz;
  v_from timestamptz;
  v_words record;
  v_labels record;
  v_scores record;
  v_pooled double precision;
  v_statistic double precision[] := array[null, null, null]::double precision[];
  v_effect double precision[] := array[null, null, null]::double precision[];
  v_p double precision[] := array[null, null, null]::double precision[];
begin
  perform @extschema@.retrain_check_model_name(p_model_name);
  if p_window is null or p_window <= interval '0' or p_window > interval '10 years' then
    raise exception 'p_window is out of range'
      using errcode = 'invalid_parameter_value',
        detail = format('The window given is %s.', coalesce(p_window::text, 'null')),
        hint = 'It is a time above zero, at most ten years.';
  end if;
  if p_baseline is null or p_baseline <= interval '0' or p_baseline > interval '10 years' then
    raise exception 'p_baseline is out of range'
      using errcode = 'invalid_parameter_value',
        detail = format('The baseline given is %s.', coalesce(p_baseline::text, 'null')),
        hint = 'It is a time above zero, at most ten years.';
  end if;
  v_split := v_now - p_window;
  v_from := v_split - p_baseline;

  -- Ids are random: the first ones are a sample that is the same at every call.
  with texts as materialized (
    (select d.id, true as recent, d.user_message
     from @extschema@.ai_training_data d
     where d.model_name = p_model_name and d.created_at >= v_split and d.created_at < v_now and d.source = 'live'
     order by d.id limit c_max_texts)
    union all
    (select d.id, false, d.user_message
     from @extschema@.ai_training_data d
     where d.model_name = p_model_name and d.created_at >= v_from and d.created_at < v_split and d.source = 'live'
     order by d.id limit c_max_texts)
  ), words as materialized (
    select distinct t.id, t.recent, w.word
    from texts t
    cross join lateral string_to_table(@extschema@.retrain_words(left(t.user_message, 2000)), ' ') w (word)
    where w.word <> ''
  ), known as (
    select w.word, count(*) as messages from words w where not w.recent group by w.word
  ), fresh as (
    select w.id, w.recent, bool_or(coalesce(k.messages, 0) <= case when w.recent then 0 else 1 end) as has_new
    from words w
    left join known k on k.word = w.word
    group by w.id, w.recent
  )
  select count(*) filter (where f.recent) as n1, count(*) filter (where not f.recent) as n0,
    count(*) filter (where f.recent and f.has_new) as x1, count(*) filter (where not f.recent and f.has_new) as x0,
    (select coalesce(jsonb_agg(t.word order by t.messages desc, t.word), '[]')
     from (
       select w.word, count(*) as messages
       from words w
       where w.recent and not exists (select from known k where k.word = w.word)
       group by w.word
       order by count(*) desc, w.word
       limit 10
     ) t) as examples
  into v_words
  from fresh f;

  if least(v_words.n1, v_words.n0) >= c_min_rows then
    v_effect[1] := v_words.x1::double precision / v_words.n1 - v_words.x0::double precision / v_words.n0;
    v_pooled := (v_words.x1 + v_words.x0)::double precision / (v_words.n1 + v_words.n0);
    v_statistic[1] := case when v_pooled in (0, 1) then 0 else
      v_effect[1] / sqrt(v_pooled * (1 - v_pooled) * (1.0 / v_words.n1 + 1.0 / v_words.n0)) end;
    v_p[1] := @extschema@.retrain_normal_two_sided(v_statistic[1]);
  end if;

  with counts as (
    select c.intent, coalesce(sum(c.messages), 0) as n1, 0::numeric as n0
    from @extschema@.retrain_message_counts(p_model_name, v_split, v_now) c
    where c.source = 'live' and c.intent is not null
    group by c.intent
    union all
    select c.intent, 0, sum(c.messages)
    from @extschema@.retrain_message_counts(p_model_name, v_from, v_split) c
    where c.source = 'live' and c.intent is not null
    group by c.intent
  ), labels as (
    select c.intent, sum(c.n1)::double precision as n1, sum(c.n0)::double precision as n0
    from counts c group by c.intent
  ), totals as (
    select sum(l.n1) as t1, sum(l.n0) as t0, sum(l.n1) + sum(l.n0) as t from labels l
  ), cells as (
    select l.intent, l.n1, l.n0, t.t1, t.t0, t.t, (l.n1 + l.n0) * least(t.t1, t.t0) / t.t < 5 as rare
    from labels l, totals t
  ), pool as (
    -- Where even all the rare ones together are too few, one message of a new intent would be drift: the least common
    -- intent joins them.
    select sum(c.n1 + c.n0) * least(c.t1, c.t0) / c.t < 5
      and case when c.t1 <= c.t0 then sum(c.n1) else sum(c.n0) end < 5 as sparse
    from cells c
    where c.rare
    group by c.t1, c.t0, c.t
  ), pooled as (
    select case when c.rare or c.joins then null else c.intent end as intent, sum(c.n1) as n1, sum(c.n0) as n0,
      c.t1, c.t0, c.t
    from (
      select c.*, p.sparse and row_number() over (partition by c.rare order by c.n1 + c.n0, c.intent) = 1 as joins
      from cells c
      left join pool p on true
    ) c
    group by 1, c.t1, c.t0, c.t
  ), terms as (
    select p.*, (p.n1 + p.n0) * p.t1 / p.t as e1, (p.n1 + p.n0) * p.t0 / p.t as e0,
      (p.n1 + 0.5) / (p.t1 + 0.5 * count(*) over ()) as q1, (p.n0 + 0.5) / (p.t0 + 0.5 * count(*) over ()) as q0
    from pooled p
    where p.t1 > 0 and p.t0 > 0
  )
  select coalesce((select t.t1 from totals t), 0)::bigint as n1, coalesce((select t.t0 from totals t), 0)::bigint as n0,
    sum((t.n1 - t.e1) ^ 2 / t.e1 + (t.n0 - t.e0) ^ 2 / t.e0) as chi_square, count(*) as cells,
    sum((t.q1 - t.q0) * ln(t.q1 / t.q0)) as psi,
    (select coalesce(jsonb_agg(jsonb_build_object('intent', g.intent, 'window_share', round(g.s1::numeric, 4),
       'baseline_share', round(g.s0::numeric, 4)) order by abs(g.s1 - g.s0) desc, g.intent), '[]')
     from (
       select c.intent, c.n1 / nullif(c.t1, 0) as s1, c.n0 / nullif(c.t0, 0) as s0
       from cells c
       order by abs(c.n1 / nullif(c.t1, 0) - c.n0 / nullif(c.t0, 0)) desc, c.intent
       limit 5
     ) g) as examples
  into v_labels
  from terms t;

  if least(v_labels.n1, v_labels.n0) >= c_min_rows then
    v_statistic[2] := v_labels.chi_square;
    v_effect[2] := v_labels.psi;
    v_p[2] := case when v_labels.cells < 2 then 1
      else @extschema@.retrain_chi_square_upper(v_labels.chi_square, (v_labels.cells - 1)::integer) end;
  end if;

  with scores as (
    select d.confidence_score as score, count(*) filter (where d.created_at >= v_split) as n1,
      count(*) filter (where d.created_at < v_split) as n0
    from @extschema@.ai_training_data d
    where d.model_name = p_model_name and d.created_at >= v_from and d.created_at < v_now and d.source = 'live'
      and d.confidence_score is not null
    group by d.confidence_score
  ), sums as (
    select s.n1, s.n0, s.score, sum(s.n1) over w as c1, sum(s.n0) over w as c0, sum(s.n1) over () as t1,
      sum(s.n0) over () as t0
    from scores s
    window w as (order by s.score)
  )
  select coalesce(max(s.t1), 0)::bigint as n1, coalesce(max(s.t0), 0)::bigint as n0,
    max(abs(s.c1 / nullif(s.t1, 0) - s.c0 / nullif(s.t0, 0)))::double precision as d,
    round(sum(s.score * s.n1) / nullif(max(s.t1), 0), 1) as mean1,
    round(sum(s.score * s.n0) / nullif(max(s.t0), 0), 1) as mean0
  into v_scores
  from sums s;

  if least(v_scores.n1, v_scores.n0) >= c_min_rows then
    v_statistic[3] := v_scores.d;
    v_effect[3] := v_scores.d;
    v_pooled := sqrt(v_scores.n1::double precision * v_scores.n0 / (v_scores.n1 + v_scores.n0));
    v_p[3] := @extschema@.retrain_kolmogorov_upper((v_pooled + 0.12 + 0.11 / v_pooled) * v_scores.d);
  end if;

  return query
  with tests (place, aspect, test, n1, n0, min_effect, detail) as (
    values
      (1, 'new_words', 'two-proportion z', v_words.n1, v_words.n0, 0.05::double precision,
        jsonb_build_object('new_words', v_words.examples, 'window_share',
          round(v_words.x1::numeric / nullif(v_words.n1, 0), 4), 'baseline_share',
          round(v_words.x0::numeric / nullif(v_words.n0, 0), 4))),
      (2, 'labels', 'chi-square', v_labels.n1, v_labels.n0, 0.1,
        jsonb_build_object('degrees_of_freedom', greatest(v_labels.cells - 1, 0), 'largest_shifts', v_labels.examples)),
      (3, 'confidence', 'Kolmogorov-Smirnov', v_scores.n1, v_scores.n0, 0.1,
        jsonb_build_object('window_mean', v_scores.mean1, 'baseline_mean', v_scores.mean0))
  ), ranked as (
    select t.*, v_p[t.place] as p, row_number() over (order by v_p[t.place] nulls last, t.place) as r,
      count(v_p[t.place]) over () as m
    from tests t
  ), adjusted as (
    select r.*, case when r.p is not null then
      least(1, max((r.m - r.r + 1) * r.p) over (order by r.r)) end as p_holm
    from ranked r
  )
  select a.aspect, a.test,
    case when a.p is null then 'insufficient'
      when a.p_holm < c_alpha and abs(v_effect[a.place]) >= a.min_effect then 'drift'
      else 'stable' end,
    v_statistic[a.place], v_effect[a.place], a.p, a.p_holm, a.n1, a.n0, a.detail
  from adjusted a
  order by a.place;
end
$function$;

-- What retrain_drift() finds. Drift is told to those who LISTEN to ai_models, except from a replica, which cannot.
create function @extschema@.detect_drift(
  p_model_name text default 'default',
  p_window interval default '7 days',
  p_baseline interval default '30 days'
) returns table (
    aspect text,
    test text,
    verdict text,
    statistic double precision,
    effect double precision,
    p_value double precision,
    p_adjusted double precision,
    window_rows bigint,
    baseline_rows bigint,
    detail jsonb)
  language plpgsql volatile parallel restricted cost 1000000 rows 3
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_drift boolean := false;
begin
  for aspect, test, verdict, statistic, effect, p_value, p_adjusted, window_rows, baseline_rows, detail in
    select d.* from @extschema@.retrain_drift(p_model_name, p_window, p_baseline) d
  loop
    v_drift := v_drift or verdict = 'drift';
    return next;
  end loop;
  if v_drift and not pg_is_in_recovery() then
    perform @extschema@.retrain_notify('drift', p_model_name, (
      select v.id from @extschema@.ai_model_versions v where v.model_name = p_model_name and v.is_active));
  end if;
end
$function$;
