-- +goose Up
-- When it was told that a yes whose last day is over counts no more.
alter table consent add column lapsed_at timestamptz;
create index consent_over on consent (until_day) where until_day is not null and lapsed_at is null;
