-- What CREATE EXTENSION makes: every object is there, described, and closed to PUBLIC.
create extension pg_retrain;

create temporary view members as
select d.classid, d.objid, pg_catalog.pg_describe_object(d.classid, d.objid, 0) as object,
  coalesce(c.relname, p.proname)::text as name, c.relkind
from pg_depend d
join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_retrain'
left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e';

-- tables and views
select name, relkind from members where relkind in ('r', 'v') order by name collate "C";

-- public functions, with their arguments
\pset format unaligned
select p.proname, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as result
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
where p.proname not like 'retrain\_%'
order by p.proname collate "C";
\pset format aligned

-- nothing below may return a row: no overload, no argument that is not p_*, no procedure
select name from members where classid = 'pg_proc'::regclass group by name having count(*) > 1;

select p.proname, a.argument
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
cross join lateral unnest(p.proargnames[1:p.pronargs]) a (argument)
where a.argument !~ '^p_[a-z_]+$' and (p.proargmodes is null or p.proargmodes[1] = 'i');

select p.proname
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
where p.prokind <> 'f';

-- no public object without a comment
select m.object
from members m
where (m.relkind in ('r', 'v') or m.classid = 'pg_proc'::regclass)
  and obj_description(m.objid, m.classid::regclass::name) is null;

-- nothing granted to PUBLIC
select m.object, a.privilege_type
from members m
join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
where a.grantee = 0
union all
select m.object, a.privilege_type
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
where a.grantee = 0;

-- every function pins its search_path, and only the listed ones run as their owner
select p.proname
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
join pg_language l on l.oid = p.prolang
where l.lanname in ('sql', 'plpgsql')
  and not coalesce('search_path=pg_catalog, pg_temp' = any (p.proconfig), false);

select p.proname
from members m
join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
where p.prosecdef
order by 1;

-- every table has row-level security and is dumped, with its counter
select m.name
from members m
join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
join pg_extension e on e.extname = 'pg_retrain'
where m.relkind = 'r' and not c.relrowsecurity
  or m.relkind in ('r', 'S') and not coalesce(c.oid = any (e.extconfig), false);

-- every view runs as its reader where the server can do that, but for the one that tells a user its own grants
select m.name
from members m
join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
where m.relkind = 'v'
  and m.name <> 'ai_access_scope'
  and current_setting('server_version_num')::integer >= 150000
  and not coalesce('security_invoker=true' = any (c.reloptions), false);

-- every function, table and view has its line in the table of access levels, and every line its object
select m.name as object_without_level
from members m
where (m.relkind in ('r', 'v') or m.classid = 'pg_proc'::regclass)
  and not exists (select from retrain_access_map() a where a.object_name = m.name);

select a.object_name as level_without_object
from retrain_access_map() a
where not exists (
  select from members m
  where m.name = a.object_name and (m.classid = 'pg_proc'::regclass) = (a.kind = 'function'));

select a.object_name, c.name as column_that_does_not_exist
from retrain_access_map() a
cross join lateral unnest(a.columns) c (name)
where not exists (
  select from members m
  join pg_attribute t on t.attrelid = m.objid
  where m.classid = 'pg_class'::regclass and m.name = a.object_name and t.attname = c.name);

-- no trigger fires on INSERT but those that derive values, and no foreign key ties the order of a restore
select t.tgrelid::regclass as relation, t.tgname
from members m
join pg_trigger t on t.tgrelid = m.objid and m.classid = 'pg_class'::regclass
where t.tgtype & 4 = 4 and not t.tgisinternal
order by t.tgrelid;

select c.conname
from members m
join pg_constraint c on c.conrelid = m.objid and m.classid = 'pg_class'::regclass
where c.contype = 'f';

-- a schema of its own, whose name needs quotes; nothing stays behind
drop view members;
drop extension pg_retrain;
create schema "My Models";
create extension pg_retrain schema "My Models";
select "My Models".record_interaction('hello', p_detected_intent => 'greeting') is not null as recorded;
select user_message, intent from "My Models".get_training_dataset();
-- a role of the application keeps what it was given there; one that was let in by a level leaves with it
create role regress_retrain_app;
create role regress_retrain_guest;
grant usage on schema "My Models" to regress_retrain_app;
create table "My Models".orders ();
grant select on "My Models".orders to regress_retrain_app;
select "My Models".grant_retrain_access(r, 'predictor') ->> 'success' as granted
from unnest('{regress_retrain_app,regress_retrain_guest}'::text[]) r;
select "My Models".revoke_retrain_access(r) ->> 'success' as revoked
from unnest('{regress_retrain_app,regress_retrain_guest}'::text[]) r;
drop role regress_retrain_guest;
alter schema "My Models" owner to regress_retrain_app;
create role regress_retrain_guest;
select "My Models".grant_retrain_access('regress_retrain_guest', 'predictor') ->> 'success' as granted;
select has_schema_privilege('regress_retrain_guest', 'My Models', 'usage') as let_in;
select "My Models".revoke_retrain_access('regress_retrain_guest') ->> 'success' as revoked;
drop role regress_retrain_guest;
alter schema "My Models" owner to current_user;
grant usage on schema "My Models" to regress_retrain_app;
set role regress_retrain_app;
select count(*) from "My Models".orders;
reset role;
drop table "My Models".orders;
select "My Models".revoke_retrain_access('regress_retrain_app') ->> 'success' as revoked;
drop role regress_retrain_app;
drop extension pg_retrain;
select count(*) from pg_class where relnamespace = '"My Models"'::regnamespace;
select count(*) from pg_proc where pronamespace = '"My Models"'::regnamespace;
drop schema "My Models";
