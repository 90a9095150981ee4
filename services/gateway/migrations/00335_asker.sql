-- Whoever asks for links is limited by where they ask from, and not whoever they ask them for.

-- +goose Up
alter table sign_in add column asker bytea; -- keyed hash of the address that it was asked from
