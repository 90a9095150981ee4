-- +goose Up
-- What was said or met on the telephone and changes what is kept of a person: they said stop, or another answers their
-- number. One row for each event, by journey and sequence, so that an event that comes again changes nothing; applied_at is
-- when the person's record was brought in line.
create table said_on_call (
    journey    uuid        not null,
    sequence   bigint      not null,
    what       text        not null check (what in ('stop', 'number')),
    said_at    timestamptz not null,
    applied_at timestamptz,
    primary key (journey, sequence)
);
create index said_on_call_open on said_on_call (said_at) where applied_at is null;
