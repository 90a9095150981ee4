-- +goose Up
-- Who may ring by the person's yes: these organisations alone, or, where there are none, any but not_callers.
alter table plan
    add column callers     text[] not null default '{}',
    add column not_callers text[] not null default '{}';
