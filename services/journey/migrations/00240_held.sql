-- +goose Up
-- Held journeys, those held with another one apart: looked at each second (dueTogether). journey_live is told apart from
-- it by its condition, which a closed journey alone does not meet either: while few were stored, a plan went by the index of
-- all that are not closed, and was kept.
drop index journey_live;
create index journey_live on journey (id) where closed_at is null;
drop index journey_held;
create index journey_held on journey (held_with, id) where state = 'held';
