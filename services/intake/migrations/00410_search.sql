-- +goose Up
-- What staff find a record by: keyed hashes of the NHS number that stands in it, verified or not, and of its surname
-- with the birth date. They go with the identity.
alter table person add column number_hash bytea, add column surname_hash bytea;
create index person_number_hash on person (number_hash) where number_hash is not null;
create index person_surname_hash on person (surname_hash) where surname_hash is not null;
-- A journey's code, as it stands on screens and paper.
create index journey_code on journey ("right"(id::text, 8));

-- Every search, what it found or not. What was looked for is not kept. Why somebody searched is sealed: with the access
-- log's lines of whom was found, or, where nobody was, here, under a key of its own.
create table search (
    id           uuid        primary key,
    organisation text        not null,
    role         text        not null,
    subject      text        not null,
    looked_by    text        not null check (looked_by in ('code', 'visit', 'nhs-number', 'name')),
    found        integer     not null,
    reason       bytea       not null,
    wrapped      bytea,
    at           timestamptz not null,
    reviewed_at  timestamptz,
    reviewed_by  text,
    finding      text        not null default '' check (finding in ('', 'in-order', 'passed-on')),
    passed_to    text        not null default '',
    check ((reviewed_at is null) = (finding = ''))
);
create index search_unreviewed on search (organisation, id) where reviewed_at is null;
create index search_of on search (organisation, id);
