-- +goose Up
-- What a session is used on, by the names of browser and system alone, so that a person knows their own again in a list.
alter table session add column device text not null default '';
