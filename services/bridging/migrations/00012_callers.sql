-- +goose Up
-- A plan is looked at on a local day: a pause ends, or half a year is over.
drop index plan_look;
alter table plan drop column look_at;
alter table plan add column look_on date;
create index plan_look on plan (look_on) where look_on is not null and ended_at is null;

-- Who makes calls: by mark, never by name. most is how many calls a day they agreed to; a token of their calendar is kept
-- as its hash alone.
create table caller (
    organisation text    not null,
    mark         text    not null,
    days         integer[] not null default '{1,2,3,4,5}',
    from_hour    integer not null default 9,
    to_hour      integer not null default 17,
    most         integer not null default 12 check (most between 1 and 60),
    channel      text    not null default '',
    address      text    not null default '',
    away_until   date,
    calendar     text    unique,
    primary key (organisation, mark)
);

-- Who rang, for each try of a call: by it a caller's load is counted, and the same caller is found again.
create table rang (
    call uuid        not null references call (id),
    try  integer     not null,
    team text        not null,
    mark text        not null,
    at   timestamptz not null,
    primary key (call, try)
);
create index rang_mark on rang (mark, at);
