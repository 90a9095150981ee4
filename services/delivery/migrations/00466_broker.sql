-- +goose Up
-- How far the log of a partner that takes its events from the broker has come. marked is up to where it is given out, and taken up to where
-- the broker has acknowledged it; what lies between is published. made is when the stream was made that it was published to.
create table broker_cursor (
    partner      uuid        primary key,
    marked       bigint      not null default 0,
    taken        bigint      not null default 0,
    acknowledged bigint      not null default 0,
    made         timestamptz,
    published_at timestamptz
) with (fillfactor = 70);

-- Which sequence of the stream holds which position, until the partner has acknowledged it there.
create table broker_given (
    partner  uuid   not null,
    seq      bigint not null,
    position bigint not null,
    primary key (partner, seq)
);
