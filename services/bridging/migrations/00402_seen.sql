-- +goose Up
-- A calendar is read while its worker stands: whoever has not been here for some days is asked to come by first.
alter table caller add column seen_on date;
update caller set seen_on = calendar_until - 90 where calendar is not null;
