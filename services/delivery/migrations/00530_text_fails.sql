-- +goose Up
-- Since when a text that is due is not taken, however often it was tried; null while none was refused.
alter table text add column failing_at timestamptz;
