-- +goose Up
-- What others are to be told of a partner as a whole: version counts what was, unsaid is that something has changed since.
-- A table of its own: whoever takes a place locks the partner's row, and nobody waits for that.
create table partner_news (
    partner  uuid    primary key references partner (id),
    version  bigint  not null default 0,
    invented boolean not null,
    unsaid   boolean not null default true
);
insert into partner_news (partner, invented) select id, false from partner;
create index partner_unsaid on partner_news (partner) where unsaid;
