-- +goose Up
-- When something is to be done about a call next, and how far reminding about it has come. It is a table of its own with two
-- indexes, one of them as high whatever is stored, so that what fires touches as little whatever is to come; the row goes
-- with the last of it.
create table timer (
    call   uuid        not null,
    act_at timestamptz not null,
    stage  integer     not null default 0
) with (fillfactor = 90);
create index timer_act on timer (act_at);
create index timer_call on timer using hash (call);
insert into timer (call, act_at, stage) select id, act_at, reminded from call where act_at is not null;
drop index call_act;
alter table call drop column act_at, drop column reminded;
