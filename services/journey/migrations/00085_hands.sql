-- +goose Up
-- Each time a step was handed on or taken on: as which owner, and by whom. An owner is a team or a post; who acted is
-- whoever was signed in.
create table hand (
    id      uuid        primary key,
    step    uuid        not null references step (id),
    journey uuid        not null,
    what    text        not null check (what in ('handed-on', 'taken-on')),
    owner   text        not null,
    done_by text        not null check (done_by <> ''),
    at      timestamptz not null
);
create index hand_step on hand (step);
