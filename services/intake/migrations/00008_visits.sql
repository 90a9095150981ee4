-- +goose Up
-- How far the journeys that are not closed have been looked through for birthdays, on which local day.
create table age_cursor (
    one  boolean primary key check (one),
    day  date    not null,
    upto uuid    not null,
    done boolean not null
);
insert into age_cursor (one, day, upto, done) values (true, '2000-01-01', '00000000-0000-0000-0000-000000000000', false);
