-- +goose Up
-- How the person was introduced to whoever sees them at the partner: by the name of a worker, or in one call together.
alter table offer add column introduced text not null default '';
