-- +goose Up
-- Which owners of steps somebody is who signed in, where that is not what everybody of their role is.
alter table session add column team text not null default '';
