-- Which role gave a stored query: nobody runs one that somebody else wrote.

-- A model's are its source and the holidays of a forecast. Both are of one role: who changes one of them while the other is
-- another's would stand for that one, too. A restored row keeps what it says; a user whose rows are restricted cannot name
-- another.
create function @extschema@.retrain_model_source_before_write() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_source text := new.source;
  v_holidays text := nullif(new.config ->> 'holidays', '');
  v_given boolean := v_source is not null or v_holidays is not null;
  v_kept boolean := false;
begin
  if tg_op = 'UPDATE' then
    v_given := v_source is distinct from old.source and v_source is not null
      or v_holidays is distinct from nullif(old.config ->> 'holidays', '') and v_holidays is not null;
    v_kept := v_source = old.source or v_holidays = nullif(old.config ->> 'holidays', '');
  end if;
  if v_given and v_kept and old.source_set_by is distinct from current_user then
    raise exception 'a query of model "%" came from another role', new.model_name
      using errcode = 'insufficient_privilege',
        detail = format('It was %s.', coalesce(format('role "%s"', old.source_set_by), 'an unknown role')),
        hint = 'Change source and holidays together: both are run for the role that gives them.';
  end if;
  if v_given then
    if tg_op = 'UPDATE' or new.source_set_by is null or not @extschema@.retrain_unrestricted() then
      new.source_set_by := current_user;
    end if;
  elsif not coalesce(v_kept, false) then
    new.source_set_by := null;
  elsif not @extschema@.retrain_unrestricted() then
    new.source_set_by := old.source_set_by;
  end if;
  return new;
end
$function$;

-- Who a run's source was given by, and the holidays of a forecast, which were then the same role's: nobody else runs these
-- queries again, and who changes one of them stands for both. As with a model's, a restored row keeps what it says, and a
-- user whose rows are restricted cannot name another.
create function @extschema@.retrain_run_source_before_write() returns trigger
  language plpgsql volatile
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if new.source is null then
    new.source_set_by := null;
  elsif @extschema@.retrain_unrestricted() and new.source_set_by is not null then
    null;
  elsif tg_op = 'UPDATE' and new.source is not distinct from old.source
    and new.model_config ->> 'holidays' is not distinct from old.model_config ->> 'holidays'
  then
    new.source_set_by := old.source_set_by;
  else
    new.source_set_by := current_user;
  end if;
  return new;
end
$function$;
