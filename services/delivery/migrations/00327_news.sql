-- +goose Up
-- That a referrer is told of it by the person's yes to tell-referrer alone: it is withheld when that is taken back before it was given out.
alter table partner_event add column by_yes boolean not null default false;
