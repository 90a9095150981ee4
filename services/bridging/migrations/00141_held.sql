-- +goose Up
-- The sentinel reads the view held by what is new, and in slices by journey: stretches of these.
create index plan_held_since on plan (proposed_at) where ended_at is null;
create index plan_held_journey on plan ((journey::text)) where ended_at is null;
