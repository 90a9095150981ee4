-- +goose Up
-- One row for each request that came with a key of its sender's (Idempotency-Key), written in the transaction of its
-- effect; see DoOnce. status is null only inside that transaction. A database of before has the table already.
create table if not exists idempotency (
    principal text        not null,
    route     text        not null,
    key       text        not null,
    body_hash bytea       not null,
    status    integer,
    answer    bytea,
    at        timestamptz not null,
    primary key (principal, route, key)
);
create index if not exists idempotency_at on idempotency (at);
