-- +goose Up
-- What a partner could read of an offer before it had taken it on, when it was first fetched: the names of what was
-- shown, never what they said.
create table offer_page (
    offer  uuid        not null,
    by     text        not null check (by in ('link', 'signed-in')),
    fields text        not null,
    at     timestamptz not null,
    primary key (offer, by, fields)
);
