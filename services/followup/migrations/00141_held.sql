-- +goose Up
-- The sentinel reads the view held by what is new, and in slices by journey: stretches of these.
create index offer_held_since on offer (raised_at) where ended_at is null;
create index offer_held_journey on offer ((journey::text)) where ended_at is null;
