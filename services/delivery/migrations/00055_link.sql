-- +goose Up
-- A link that lets whoever holds it answer one offer of one partner, without an account. token is the hash of what stands in
-- the mail, which is kept nowhere; until says how long it opens anything.
create table link (
    token   bytea       primary key,
    offer   uuid        not null,
    partner uuid        not null,
    made_at timestamptz not null,
    until   timestamptz not null
);
create index link_over on link (until);
