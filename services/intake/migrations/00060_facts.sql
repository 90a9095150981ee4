-- +goose Up
-- What was said of a person, fact by fact, each with when and by which way: coded, as in events.
alter table person add column facts jsonb not null default '{}';

-- Every fact as it was said, only ever added: what replaces it takes none away. value is null where it was taken back.
create table fact_said (
    id          bigint generated always as identity primary key,
    person      uuid        not null,
    fact        text        not null,
    value       jsonb       not null,
    way         text        not null, -- mllp, fhir, events, form, list, signals, preferences
    by_role     text        not null, -- of who recorded it, where that was somebody
    message     uuid,
    said_at     timestamptz not null,
    received_at timestamptz not null
);
create index fact_said_person on fact_said (person, fact);
