-- +goose Up
-- Reasons of searches that found nobody, which are kept for a time alone.
create index search_reason on search (at) where wrapped is not null;
