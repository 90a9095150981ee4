-- +goose Up
-- When a visit without an end is looked at next; null where there is nothing to look for.
alter table visit add column look_at timestamptz;
create index visit_look on visit (look_at) where look_at is not null;
