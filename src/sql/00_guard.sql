\echo Use "CREATE EXTENSION pg_retrain" to load this file. \quit

-- Names in this script resolve in pg_catalog only; our own objects are always written with their schema.
-- CREATE EXTENSION restores the caller's search_path afterwards.
select pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
