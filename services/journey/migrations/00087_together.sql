-- +goose Up
-- same are the other records that were said to be this person's; held_with is the held journey of theirs with which this
-- one is held.
alter table journey add column same text[] not null default '{}', add column held_with uuid;
create index journey_person on journey (person) where state <> 'closed';
create index journey_held on journey (id) where state = 'held';
