-- +goose Up
-- The last day of the window of which a navigator was told that no session is within it.
alter table offer add column late_said date;
