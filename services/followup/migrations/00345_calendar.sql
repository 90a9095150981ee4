-- +goose Up
-- The calendars of partners' workers: whose, by mark, never by name; a token is kept as its hash alone, and is read up
-- to and with a day.
create table calendar (
    partner text not null,
    mark    text not null,
    token   text unique,
    until   date not null,
    primary key (partner, mark)
);
create index appointment_on_day on appointment (on_day) where state in ('booked', 'cancelled');
