-- +goose Up
-- Whose agreement with a partner it is, by ODS code: its navigators alone change it. Empty where none has been recorded.
alter table partner add column held_by text not null default '';
