-- +goose Up
-- Who looked at a journey's doors, and why. The reason names nobody and holds no number (schemas.ReasonFault).
create table look (
    id           uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    role         text        not null,
    subject      text        not null,
    reason       text        not null,
    at           timestamptz not null
);
create index look_journey on look (journey);
