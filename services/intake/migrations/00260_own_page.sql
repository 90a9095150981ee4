-- +goose Up
-- Pages that people asked for: by a code on paper, of which only a keyed hash is kept, and a word that they chose, of which
-- only a keyed hash is kept too. One stands for a person at a time. wrong counts words that were not theirs. A session is one
-- browser's, and a new one ends the one before.
create table own_page (
    id            uuid        primary key,
    journey       uuid        not null,
    person        uuid        not null,
    code          bytea       not null unique,
    word          bytea       not null,
    given_by      text        not null,
    given_at      timestamptz not null,
    ends_at       timestamptz not null,
    stopped_at    timestamptz,
    stopped_why   text        not null default '',
    wrong         integer     not null default 0,
    opened_at     timestamptz,
    session       bytea       unique,
    session_began timestamptz,
    session_seen  timestamptz
);
create unique index own_page_stands on own_page (person) where stopped_at is null;
create index own_page_of_journey on own_page (journey, given_at desc);
