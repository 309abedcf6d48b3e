-- Once only: of the rules, a dump has the user's; the shipped ones come with the extension.
do $do$
declare
  v_type regtype;
begin
  -- One statement each: both change the extension's row.
  foreach v_type in array array[
    pg_typeof(null::@extschema@.ai_quality_rules), pg_typeof(null::@extschema@.ai_category_rules)]
  loop
    perform pg_extension_config_dump(t.typrelid, 'where not shipped') from pg_type t where t.oid = v_type;
  end loop;
end
$do$;
