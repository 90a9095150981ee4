-- +goose Up
-- Which life of this schema this is: raised when it is restored from a backup, so that what it says then is later than
-- whatever it had said after the backup was made. anew: its durable is to be given up once, so that it hears everything again.
create table incarnation (
    id     smallint primary key check (id = 1),
    number bigint   not null,
    anew   boolean  not null
);
insert into incarnation (id, number, anew) values (1, 0, false);
