-- +goose Up
-- One text to a person, by what it is about and why: once, however often that is heard. The number is not here: it is asked for at
-- sending. A text that did not go by last_at does not go. outcome is a code; notes of texts are forgotten a month after their end.
create table text (
    about    uuid        not null,
    kind     text        not null check (kind in ('session', 'call', 'changed')),
    id       uuid        not null unique,
    journey  uuid        not null,
    offer    uuid,
    partner  text        not null,
    starts   timestamptz not null,
    state    text        not null check (state in ('waiting', 'sent', 'withheld', 'over')),
    due_at   timestamptz not null,
    last_at  timestamptz not null,
    tries    integer     not null default 0,
    ended_at timestamptz,
    primary key (about, kind)
) with (fillfactor = 80);
create index text_due on text (due_at) where state = 'waiting';
create index text_ended on text (ended_at) where ended_at is not null;
