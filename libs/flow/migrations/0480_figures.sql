-- +goose Up
-- How the figures of a service stood, one row a minute, by the system's clock: kept for eight days, each row by
-- whichever of its processes came first. figures holds numbers by the figures' names.
create table figure_sample (
    minute  timestamptz primary key,
    figures jsonb       not null
);

-- Who put a dead letter back in line, and when; by is who asked, as role, organisation and subject.
create table letter_redriven (
    event_id uuid        not null,
    at       timestamptz not null,
    role     text        not null,
    organisation text        not null,
    by       text        not null,
    primary key (event_id, at)
);
