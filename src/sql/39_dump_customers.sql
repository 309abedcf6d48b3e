-- Once only: of the segments and risk levels, a dump has the user's; the shipped ones come with the extension.
do $do$
declare
  v_type regtype;
begin
  foreach v_type in array array[
    pg_typeof(null::@extschema@.ai_segment_rules), pg_typeof(null::@extschema@.ai_risk_levels)]
  loop
    perform pg_extension_config_dump(t.typrelid, 'where not shipped') from pg_type t where t.oid = v_type;
  end loop;
end
$do$;
