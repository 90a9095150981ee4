-- +goose Up
-- A calendar's address is read up to and with a day, so that whoever leaves and forgets theirs is out after it. One that
-- was made before has to be made again.
alter table caller add column calendar_until date;
