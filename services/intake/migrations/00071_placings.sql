-- +goose Up
-- Who decided when whose a facility is, or that it is not theirs after all, and why. reason names nobody.
create table facility_placing (
    id         uuid        primary key,
    facility   text        not null references facility (organisation),
    placed     text,                 -- with which organisation; null: it was taken back
    decided_by text        not null, -- role and subject
    reason     text        not null,
    at         timestamptz not null
);
create index facility_placing_facility on facility_placing (facility);
