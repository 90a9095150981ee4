-- +goose Up
-- Organisations that the person said must not know: to these it is as if the journey were not there.
alter table journey add column barred text[] not null default '{}';
