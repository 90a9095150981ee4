-- +goose Up
-- What nobody has taken on is counted whenever figures are read.
create index help_waiting on help (at) where taken_at is null;
