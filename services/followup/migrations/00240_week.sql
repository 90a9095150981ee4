-- +goose Up
-- How many places each partner has taken in a week is counted before offers are prepared (countWeek): from an index that
-- holds these alone, and both columns that are asked for.
drop index offer_placed_in;
create index offer_taken_in on offer (place_week, partner)
    where place_week is not null and (ended_at is null or accepted_at is not null);
