-- +goose Up
-- The local hours in which the person's telephone may be rung, 0 where none were named: so that a journey can be told of
-- them without opening the card. Cards written before name them with their next change.
alter table contact_card add column ring_from smallint not null default 0, add column ring_until smallint not null default 0;
