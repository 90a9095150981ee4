-- +goose Up
-- What a caller is to be told of a call: a row before anything leaves, tried until a server took it or it is true no more.
-- id follows from the call, its time, the kind and whom it is for, so that nobody is told the same twice over.
create table notice (
    id      text        primary key,
    kind    text        not null check (kind in ('ahead', 'due', 'late', 'handed-on')),
    call    uuid        not null references call (id),
    due_at  timestamptz not null,
    team    text        not null,
    mark    text        not null,
    state   text        not null check (state in ('waiting', 'told', 'over')),
    tries   integer     not null default 0,
    at      timestamptz not null,
    next_at timestamptz,
    told_at timestamptz,
    check ((state = 'waiting') = (next_at is not null))
) with (fillfactor = 80);
create index notice_next on notice (next_at) where next_at is not null;

-- By which channels nothing can be handed over at present, since when, and when somebody was last alarmed.
create table channel_down (
    channel    text        primary key,
    since      timestamptz not null,
    alarmed_at timestamptz
);

-- Who reached the person last makes the next calls too, where they can.
alter table plan add column caller text not null default '';
-- How many open calls of a day somebody has already.
create index call_caller on call (team, caller, on_day) where ended_at is null and caller <> '';
