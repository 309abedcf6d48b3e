-- The owner of the database runs this once: psql -f setup.sql. Running it again changes nothing.
-- The application connects as three roles that can log in and may do no more than their level says.
\set ON_ERROR_STOP on
set client_min_messages = warning;

create extension if not exists pg_retrain;

do $$
declare
  v_role text;
begin
  foreach v_role in array array['support_app', 'support_reviewer', 'support_trainer'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      execute format('create role %I login', v_role);
    end if;
  end loop;
end
$$;

select grant_retrain_access('support_app', 'recorder', 'support') ->> 'level' as support_app,
  grant_retrain_access('support_reviewer', 'reviewer', 'support') ->> 'level' as support_reviewer,
  grant_retrain_access('support_trainer', 'trainer', 'support') ->> 'level' as support_trainer;

-- Below this confidence the assistant hands over to a person.
insert into ai_models (model_name, confidence_threshold) values ('support', 0.5) on conflict do nothing;
