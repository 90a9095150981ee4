-- +goose Up
-- Whoever keeps the system running looks for what became of a visit by its number alone.
create index visit_number on visit (number);
