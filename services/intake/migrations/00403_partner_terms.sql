-- +goose Up
-- From when until when a partner may be told anything, as followup says; said is the sequence of the event that said it. What
-- an acceptance says holds where nothing is here.
create table partner_terms (
    partner    text   primary key,
    said       bigint not null,
    first_day  date,
    last_day   date
);
