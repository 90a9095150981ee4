-- +goose Up
-- One row for each request that came with an Idempotency-Key, written in the transaction of its effect.
-- status is null only inside that transaction.
create table idempotency (
    principal text        not null,
    route     text        not null,
    key       text        not null,
    body_hash bytea       not null,
    status    integer,
    answer    bytea,
    at        timestamptz not null,
    primary key (principal, route, key)
);
create index idempotency_at on idempotency (at);
