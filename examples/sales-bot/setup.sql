-- The owner of the database runs this once: psql -f setup.sql. Running it again changes nothing.
-- The application connects as three roles that can log in and may do no more than their level says.
\set ON_ERROR_STOP on
set client_min_messages = warning;

create extension if not exists pg_retrain;

do $$
declare
  v_role text;
begin
  foreach v_role in array array['sales_bot', 'sales_reviewer', 'sales_trainer'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      execute format('create role %I login', v_role);
    end if;
  end loop;
end
$$;

select grant_retrain_access('sales_bot', 'recorder', 'sales') ->> 'level' as sales_bot,
  grant_retrain_access('sales_reviewer', 'reviewer', 'sales') ->> 'level' as sales_reviewer,
  grant_retrain_access('sales_trainer', 'trainer', 'sales') ->> 'level' as sales_trainer;

-- What customers say in this shop of an answer, besides the rules that ship.
insert into ai_quality_rules (priority, pattern, quality_score, was_successful, notes)
select 290, 'me lo guardas|apartamelo', 5, true, 'sales-bot'
where not exists (select from ai_quality_rules where notes = 'sales-bot');

insert into ai_models (model_name) values ('sales') on conflict do nothing;
