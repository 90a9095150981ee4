-- +goose Up
-- Who rings now: by it they may read the agreed name and number, until an outcome of the call, or until its time is over.
-- claimed and ended are sequences: the greater of the two is how it stands, in whatever order they arrive.
create table call_grant (
    call         uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    holder       text        not null,
    until        timestamptz not null,
    claimed      bigint      not null,
    ended        bigint      not null
);
