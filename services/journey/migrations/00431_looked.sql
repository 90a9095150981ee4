-- +goose Up
-- When a sentinel last looked everywhere without trouble: a lease that is kept says only that one runs.
alter table sentinel_lease add column looked_at timestamptz;
