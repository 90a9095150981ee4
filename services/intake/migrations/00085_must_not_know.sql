-- +goose Up
-- The organisations that the person said must not know, by their opaque ids: so that a merge, or a journey that begins, can
-- be told of them without opening the card.
alter table contact_card add column must_not_know text[] not null default '{}';
