-- The reference tables of README.md, as Markdown, from the catalog of the database where pg_retrain is installed:
--   psql -XqAt -f docs/reference.sql
-- A hidden block of README.md, which the tests run, compares every line with what stands there.

create temporary view reference_members as
select d.classid, d.objid
from pg_catalog.pg_depend d
join pg_catalog.pg_extension e on e.oid = d.refobjid and e.extname = 'pg_retrain'
where d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and d.deptype = 'e';

create temporary view reference_cells as
select 'Functions' as section, p.proname::text collate "C" as place,
  array[
    format('`%s(%s)`', p.proname, case when p.pronargs > 0
      then replace(lower(regexp_replace(a.arguments, '::[a-z ]+(\[\])?|, OUT .*', '', 'g')), ' default ', ' = ') end),
    format('`%s`', case when r.result = 'record' then format('record (%s)', (
        select string_agg(substr(argument, 5), ', ')
        from regexp_split_to_table(lower(a.arguments), ', ') argument
        where argument ~ '^out '))
      else regexp_replace(replace(r.result, 'timestamp with time zone', 'timestamptz'), '^table', 'table ') end),
    obj_description(p.oid, 'pg_proc')] as cells
from reference_members m
join pg_catalog.pg_proc p on m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and p.oid = m.objid
cross join lateral replace(pg_catalog.pg_get_function_arguments(p.oid), 'timestamp with time zone', 'timestamptz')
  a (arguments)
cross join lateral lower(pg_catalog.pg_get_function_result(p.oid)) r (result)
where obj_description(p.oid, 'pg_proc') not like 'Internal:%'
union all
select case c.relkind when 'v' then 'Views' else 'Tables' end, c.relname::text,
  array[format('`%s`', c.relname), obj_description(c.oid, 'pg_class')]
from reference_members m
join pg_catalog.pg_class c on m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = m.objid
where c.relkind in ('r', 'v')
union all
select 'Policy', to_char(a.attnum, 'FM00'),
  array[
    format('`%s`', a.attname),
    coalesce('`' || regexp_replace(pg_catalog.pg_get_expr(f.adbin, f.adrelid), '^''(.*)''::.*$', '\1') || '`', 'null'),
    col_description(a.attrelid, a.attnum)]
from reference_members m
join pg_catalog.pg_class c on m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and c.oid = m.objid
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
where c.relname = 'ai_models' and a.attname not in ('model_name', 'task', 'created_at', 'updated_at')
union all
select 'Hyper-parameters', to_char(row_number() over (), 'FM00'),
  array[format('`%s`', r.name), r.type, format('`%s`', r.default_value), r.range, r.description]
from retrain_config_reference() r
union all
select 'Settings', s.name,
  array[
    format('`%s`', s.name),
    format('`%s`', case s.unit when 'kB' then pg_size_pretty(s.boot_val::bigint * 1024) else s.boot_val end),
    concat_ws(' ', s.short_desc, s.extra_desc)]
from pg_catalog.pg_settings s
where s.name like 'pg_retrain.%';

-- Settings exist once the library is loaded, which its first function does.
do $$ begin perform from retrain_config_reference(); end $$;

create temporary table reference as
select c.section, row_number() over (partition by c.section order by c.place) as number,
  '| ' || replace(array_to_string(c.cells, E'\n', '-'), '|', '\|') as line
from reference_cells c;
update reference set line = replace(line, E'\n', ' | ') || ' |';

select case when r.number = 1 then E'\n' || r.section || E'\n' else '' end || r.line
from reference r
order by array_position(array['Functions', 'Tables', 'Views', 'Policy', 'Hyper-parameters', 'Settings'], r.section), r.number;
