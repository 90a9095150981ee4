-- +goose Up
-- What stands is found by a condition that no other index has. With the one that they all had, a plan made while the tables
-- were nearly empty read every open plan and every open call through one of the others, and PostgreSQL kept it.
drop index plan_stands;
create unique index plan_stands on plan (journey) where state <> 'ended';
drop index call_stands;
create unique index call_stands on call (plan) where state = 'scheduled';

-- Nothing asks for calls by their journey.
drop index call_journey;
