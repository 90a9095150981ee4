-- +goose Up
-- A plan that began paused is told to nobody before it goes on: the sentinel asks nobody else of it. Of those that are there
-- and never started it is not known.
alter table plan add column told boolean not null default true;
update plan set told = false where state = 'paused' and started_at is null;
