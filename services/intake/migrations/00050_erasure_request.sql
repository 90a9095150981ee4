-- +goose Up
-- Erasures that one person has asked for, and that another confirms. reason names nobody.
create table erasure_request (
    id           uuid        primary key,
    person       uuid        not null,
    asked_by     text        not null, -- role and subject of who asked
    subject      text        not null,
    reason       text        not null,
    asked_at     timestamptz not null,
    confirmed_at timestamptz
);
create index erasure_request_person on erasure_request (person);
