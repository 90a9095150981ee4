-- +goose Up
-- By when a search is reviewed of which somebody was told, by a step in the work list: the oldest that waits, of each
-- organisation. That of the next waits until it has been reviewed.
alter table search add column review_due timestamptz;
