-- +goose Up
-- By which kind of event what a decision was made from became known, as its type's name; empty where nothing became
-- known, and of decisions from before this was kept.
alter table decision add column learnt text not null default '';
