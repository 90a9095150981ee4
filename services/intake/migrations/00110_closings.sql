-- +goose Up
-- What is over when a journey is closed follows from sequences, never from comparing the clocks of three services. An
-- acceptance says which turn of the journey the follow-up service knew of (turn, by the journey service's sequence); one
-- that knew of none after the closing is over. closed_turn is the sequence of the last closing, answered_upto intake's own
-- sequence of the last answer that was known when it was closed.
alter table partner_offer add column turn bigint not null default 0;
alter table partner_offer drop column accepted_at;
alter table journey
    add column closed_turn   bigint not null default 0,
    add column answered_upto bigint not null default 0;
alter table journey drop column closed_at;

-- With which sequence of a journey a yes to follow-up was last told, to whom it was said (empty: to any).
create table yes_told (
    journey uuid   not null,
    towards text   not null,
    told    bigint not null,
    primary key (journey, towards)
);
