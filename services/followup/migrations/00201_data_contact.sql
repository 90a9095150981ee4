-- +goose Up
-- Whom to ask at a partner what it did with what it knew: a desk or a role.
alter table partner add column data_contact text not null default '';
