-- The extension's catalogue by rule, so that a new object cannot be forgotten: every function and relation has a line in
-- the access map and a comment, nothing is open to PUBLIC, every table of user data is dumped and under row-level security.
begin;
select plan(10);

create temporary view members as
select d.classid, d.objid from pg_depend d join pg_extension e on e.oid = d.refobjid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname = 'pg_retrain';

select is_empty($$
  select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  except select object_name from retrain_access_map() where kind = 'function' $$, 'every function has an access level');
select is_empty($$
  select c.relname from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
  where c.relkind in ('r', 'v') except select object_name from retrain_access_map() where kind = 'table' $$,
  'every table and view has an access level');
select is_empty($$
  select object_name from retrain_access_map() where kind = 'function'
  except select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid $$,
  'the access map names no function that is not there');
select is_empty($$
  select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  where p.proacl is null or exists (select from aclexplode(p.proacl) a where a.grantee = 0) $$,
  'no function is open to PUBLIC');
select is_empty($$
  select c.relname from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
  where exists (select from aclexplode(c.relacl) a where a.grantee = 0) $$, 'no relation is open to PUBLIC');
select is_empty($$
  select p.proname from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  where p.proname !~ '^retrain_' and obj_description(p.oid, 'pg_proc') is null $$, 'every public function has a comment');
select is_empty($$
  select attname from pg_attribute
  where attrelid = 'ai_training_runs'::regclass and attnum > 0 and atttypid = 'real'::regtype
    and col_description(attrelid, attnum) is null $$, 'every measure of a run says what it is, or that it is always null');
select is_empty($$
  select p.proname, argument from members m join pg_proc p on m.classid = 'pg_proc'::regclass and p.oid = m.objid
  cross join lateral unnest(p.proargnames[1:p.pronargs]) argument
  where p.proname !~ '^retrain_' and argument !~ '^p_[a-z_]+$' $$, 'every argument is p_* in lower case');
select is_empty($$
  select c.relname from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
  where c.relkind = 'r' and not c.relrowsecurity and exists (
    select from pg_attribute a where a.attrelid = c.oid and a.attname = 'model_name' and not a.attisdropped) $$,
  'every table with a model''s rows is under row-level security');
select is_empty($$
  select c.relname from members m join pg_class c on m.classid = 'pg_class'::regclass and c.oid = m.objid
  where c.relkind in ('r', 'S') and not exists (
    select from pg_extension e where e.extname = 'pg_retrain' and c.oid = any (e.extconfig)) $$,
  'every table and sequence is dumped');

select * from finish();
rollback;
