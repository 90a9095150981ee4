-- +goose Up
-- Somebody for whom no partner was left is looked at again when a partner has changed, or sending is turned on.
alter table partner add column changed_at timestamptz;
alter table journey_state add column look_at timestamptz;
create index exhausted_journey on journey_state (journey) where status = 'exhausted';
create index journey_is_looked_at on journey_state (look_at) where look_at is not null;

-- A page of a list is a stretch of an index.
create index offers_of_partner on offer (partner, answer_by, id) where sent_at is not null and ended_at is null;
create index offers_of_organisation on offer (organisation, answer_by, id) where ended_at is null;
drop index offer_of_organisation;
drop index offer_of_partner;
