-- +goose Up
-- What else a partner offers of what people ask for; an empty list is not said. spread is that an offer was prepared for
-- this partner, before another of equal standing, because it had taken fewest this week.
alter table partner
    add column hours         text[] not null default '{}',
    add column access        text[] not null default '{}',
    add column groups_of_own text[] not null default '{}',
    add column areas         text[] not null default '{}';
alter table offer add column spread boolean not null default false;
