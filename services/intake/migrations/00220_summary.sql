-- +goose Up
-- What the person agreed to pass on, in their own words, sealed with their key: one a journey. released are the partners to
-- whom they said yes to passing it on; what they take back is gone from it.
create table summary (
    journey     uuid        primary key,
    person      uuid        not null,
    sealed      bytea       not null,
    version     bigint      not null,
    released    text[]      not null,
    recorded_by text        not null,
    changed_at  timestamptz not null
);
create index summary_of_person on summary (person);
