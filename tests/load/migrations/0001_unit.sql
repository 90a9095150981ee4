-- +goose Up
-- What a stage has done of each unit, once: the key says so.
create table unit (
    journey uuid        primary key,
    at      timestamptz not null,
    body    jsonb       not null
);
