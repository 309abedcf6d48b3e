-- Access levels. One table says what each level opens: retrain_access_map(). Row-level security does the rest.

-- Whether row-level security spares the current user: the owner, a superuser, a role that bypasses it.
create function @extschema@.retrain_unrestricted() returns boolean
  language sql stable parallel safe cost 10
  set search_path = pg_catalog, pg_temp
as $function$
  select not row_security_active(t.typrelid)
  from pg_type t
  where t.oid = pg_typeof(null::@extschema@.ai_models)
$function$;

-- For C: the models whose rows the current user may read, or null for all.
create function @extschema@.retrain_visible_models() returns text[]
  language plpgsql stable parallel safe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if @extschema@.retrain_unrestricted() then
    return null;
  end if;
  return array(select s.model_name from @extschema@.ai_access_scope s where s.level = 'reader');
end
$function$;

-- Makes a role's rights on the extension's objects what its rows in ai_access_grants say, no more and no less.
-- SECURITY DEFINER, since only the owner may grant. It takes no wish from its caller: it acts on the table alone, and
-- row-level security decides who may write which row there.
create function @extschema@.retrain_sync_access(p_role text) returns void
  language plpgsql volatile parallel unsafe security definer
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_schema oid;
  v_owner oid;
  v_levels text[];
  v_object record;
begin
  select c.relnamespace, c.relowner into v_schema, v_owner
  from pg_class c
  where c.reltype = pg_typeof(null::@extschema@.ai_models);
  if not exists (select from pg_roles r where r.rolname = p_role and r.oid <> v_owner) then
    return;
  end if;
  -- Two at once would update the same catalog rows.
  perform @extschema@.retrain_lock('', 2);

  select array_agg(distinct i.level) into v_levels
  from @extschema@.ai_access_grants g
  cross join lateral (
    select unnest(
      case g.level
        when 'recorder' then array['recorder', 'predictor']
        when 'reviewer' then array['reviewer', 'recorder', 'predictor', 'reader']
        when 'trainer' then array['trainer', 'reviewer', 'recorder', 'predictor', 'reader']
        when 'admin' then array['admin', 'trainer', 'reviewer', 'recorder', 'predictor', 'reader']
        else array[g.level] end)
  ) i (level)
  where g.role_name = p_role;

  for v_object in
    select distinct
      case m.kind when 'function' then 'function ' || p.oid::regprocedure else 'table ' || c.oid::regclass end as name
    from @extschema@.retrain_access_map() m
    left join pg_proc p on m.kind = 'function' and p.proname = m.object_name and p.pronamespace = v_schema
    left join pg_class c on m.kind = 'table' and c.relname = m.object_name and c.relnamespace = v_schema
  loop
    execute format('revoke all on %s from %I', v_object.name, p_role);
  end loop;

  for v_object in
    select m.privilege,
      (select string_agg(quote_ident(x.name), ', ') from unnest(m.columns) x (name)) as columns,
      case m.kind when 'function' then 'function ' || p.oid::regprocedure else 'table ' || c.oid::regclass end as name
    from @extschema@.retrain_access_map() m
    left join pg_proc p on m.kind = 'function' and p.proname = m.object_name and p.pronamespace = v_schema
    left join pg_class c on m.kind = 'table' and c.relname = m.object_name and c.relnamespace = v_schema
    where m.levels && v_levels
  loop
    execute format('grant %s on %s to %I',
      v_object.privilege || coalesce(' (' || v_object.columns || ')', ''), v_object.name, p_role);
  end loop;

  if v_levels is not null and not has_schema_privilege(p_role, v_schema, 'usage') then
    execute format('grant usage on schema %s to %I', v_schema::regnamespace, p_role);
  elsif v_levels is null and exists (
    select
    from pg_namespace n
    cross join lateral aclexplode(n.nspacl) x
    join pg_roles r on r.oid = x.grantee
    -- What others have granted is not ours to revoke; as a superuser the owner acts for the schema's own.
    where n.oid = v_schema and x.grantor = n.nspowner and pg_has_role(v_owner, n.nspowner, 'usage') and r.rolname = p_role
    group by r.oid
    having bool_and(x.privilege_type = 'USAGE' and not x.is_grantable)
      -- A role that has rights on other objects of the schema, or owns some, was let in by somebody else.
      and not exists (
        select
        from pg_shdepend d
        left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
        left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
        left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
        where d.refclassid = 'pg_authid'::regclass and d.refobjid = r.oid
          and d.dbid = (select b.oid from pg_database b where b.datname = current_database())
          and v_schema in (c.relnamespace, p.pronamespace, t.typnamespace)))
  then
    execute format('revoke usage on schema %s from %I', v_schema::regnamespace, p_role);
  end if;
end
$function$;

-- Forgets the levels of a role that no longer has a single right of ours: they were taken away by DROP OWNED, or the role is
-- another of the same name. What is granted or taken back now must not bring them back. Every level reads ai_access_scope.
-- SECURITY DEFINER, since they may be levels on models that are not the caller's. It acts on rows without effect alone.
create function @extschema@.retrain_forget_lost_access(p_role text) returns void
  language plpgsql volatile parallel unsafe security definer
  set search_path = pg_catalog, pg_temp
as $function$
begin
  -- The levels and the rights of others are written together, under this lock.
  perform @extschema@.retrain_lock('', 2);
  delete from @extschema@.ai_access_grants g
  where g.role_name = p_role
    and not exists (
      select
      from pg_class c
      cross join lateral aclexplode(c.relacl) x
      join pg_roles r on r.oid = x.grantee
      where c.reltype = pg_typeof(null::@extschema@.ai_access_scope) and r.rolname = p_role);
end
$function$;

create function @extschema@.grant_retrain_access(
  p_role text,
  p_level text,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
begin
  if p_level is null or p_level not in ('reader', 'predictor', 'recorder', 'reviewer', 'trainer', 'admin') then
    raise exception 'p_level is not a known level'
      using errcode = 'invalid_parameter_value', detail = format('The level given is "%s".', p_level),
        hint = 'Use reader, predictor, recorder, reviewer, trainer or admin.';
  end if;
  if not exists (select from pg_roles r where r.rolname = p_role) then
    raise exception 'role "%" does not exist', coalesce(p_role, 'null')
      using errcode = 'undefined_object', detail = 'Levels are given to roles of this server, not to PUBLIC.',
        hint = 'The view pg_roles lists them, spelled as p_role has to be.';
  end if;
  if p_model_name is not null then
    perform @extschema@.retrain_check_model_name(p_model_name);
  end if;
  -- As the policy of ai_access_grants, which would say less.
  if not @extschema@.retrain_unrestricted() and not exists (
    select from @extschema@.ai_access_scope s
    where s.level = 'admin' and (s.model_name is null or s.model_name = p_model_name))
  then
    raise exception 'no right to grant access to %',
        case when p_model_name is null then 'all models' else format('model "%s"', p_model_name) end
      using errcode = 'insufficient_privilege',
        detail = coalesce('You are an administrator of ' || (
          select string_agg(distinct format('"%s"', s.model_name), ', ')
          from @extschema@.ai_access_scope s
          where s.level = 'admin') || '.', 'You are an administrator of no model.'),
        hint = format('Ask for grant_retrain_access(role, ''admin''%s).', coalesce(', ' || quote_literal(p_model_name), ''));
  end if;
  perform @extschema@.retrain_forget_lost_access(p_role);
  insert into @extschema@.ai_access_grants (role_name, level, model_name)
  values (p_role::name, p_level, p_model_name)
  on conflict do nothing;
  perform @extschema@.retrain_sync_access(p_role);
  return jsonb_build_object('success', true, 'role', p_role, 'level', p_level, 'model_name', p_model_name);
end
$function$;

create function @extschema@.revoke_retrain_access(
  p_role text,
  p_level text default null,
  p_model_name text default null
) returns jsonb
  language plpgsql volatile parallel unsafe
  set search_path = pg_catalog, pg_temp
as $function$
declare
  v_revoked bigint;
begin
  if p_role is null then
    raise exception 'p_role is null'
      using errcode = 'invalid_parameter_value', detail = 'It says whose levels to take back.',
        hint = 'The table ai_access_grants lists the roles.';
  end if;
  if p_level not in ('reader', 'predictor', 'recorder', 'reviewer', 'trainer', 'admin') then
    raise exception 'p_level is not a known level'
      using errcode = 'invalid_parameter_value', detail = format('The level given is %s.', coalesce('"' || p_level || '"', 'null')),
        hint = 'Use reader, predictor, recorder, reviewer, trainer or admin, or leave it out for all.';
  end if;
  delete from @extschema@.ai_access_grants g
  where g.role_name = p_role::name
    and (p_level is null or g.level = p_level)
    and (p_model_name is null or g.model_name = p_model_name);
  get diagnostics v_revoked = row_count;
  -- Taking one level back must not bring others back.
  perform @extschema@.retrain_forget_lost_access(p_role);
  perform @extschema@.retrain_sync_access(p_role);
  return jsonb_build_object('success', true, 'role', p_role, 'revoked', v_revoked);
end
$function$;
