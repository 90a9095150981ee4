-- +goose Up
-- To which of a partner's addresses a mail went last, counted from 1: what comes back from a former one marks no other.
alter table notice add column addressed integer not null default 1;
alter table mail add column addressed integer not null default 1;
-- Which domain was the last to refuse a mail for reasons of its own; empty once something is taken.
alter table mail_channel add column refuses text not null default '';
