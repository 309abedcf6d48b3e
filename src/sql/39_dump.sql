-- Once only: every row of ours, and the identity counters, are the user's data and belong in a dump.
do $do$
declare
  v_relation oid;
begin
  for v_relation in
    select c.oid
    from pg_depend d
    join pg_extension e on e.oid = d.refobjid and e.extname = 'pg_retrain'
    join pg_class c on c.oid = d.objid
    where d.classid = 'pg_class'::regclass
      and d.refclassid = 'pg_extension'::regclass
      and d.deptype = 'e'
      and c.relkind in ('r', 'S')
    order by c.oid
  loop
    perform pg_extension_config_dump(v_relation, '');
  end loop;
end
$do$;
