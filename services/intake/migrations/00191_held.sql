-- +goose Up
-- The sentinel reads the view held by what is new, and in slices by journey (a message by its id): stretches of these.
create index visit_held_since on visit (raised_at) where journey is not null and not withdrawn;
create index message_quarantined_id on message (id) where outcome = 'quarantined';
