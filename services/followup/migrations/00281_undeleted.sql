-- +goose Up
-- Offers that are over and whose partners have not said what they did with what they knew: their contact about data is
-- written to, once.
create index offer_undeleted on offer (ended_at) where ended_at is not null and accepted_at is not null
    and deleted_at is null and nudged <> 'deletion';
