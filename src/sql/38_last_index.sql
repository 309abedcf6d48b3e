-- Once only: after every other index of the table. Of plans that look equal, as all do on a table without statistics, the
-- planner takes the youngest index; a search by id must not become one by model, which row-level security offers as well.
alter table @extschema@.ai_training_data add primary key (id);
