-- +goose Up
-- Where the person of an offer lives, as its partner may be shown it: what an endpoint's filter looks at. Empty where it may not be shown;
-- then every endpoint is told, whatever its filter. areas is that filter, empty for all.
alter table partner_event add column area text not null default '';
alter table subscription add column areas text[] not null default '{}';
