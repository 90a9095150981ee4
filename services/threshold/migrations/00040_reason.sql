-- +goose Up
-- Why a service said no, as a code. questioned is true where the service has agreed never to decline for that reason:
-- such an answer closes no door.
alter table answered add column reason text not null default '' check (reason = '' or answer = 'no'),
    add column questioned boolean not null default false;
