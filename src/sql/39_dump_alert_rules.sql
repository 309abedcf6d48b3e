-- Once only: the shipped rules come with the extension, a dump has the user's.
do $do$
begin
  perform pg_extension_config_dump(t.typrelid, 'where not shipped')
  from pg_type t
  where t.oid = pg_typeof(null::@extschema@.ai_alert_rules);
end
$do$;
