-- +goose Up
-- What lists order by stands on the row they list: when the step that holds a journey is due (its due time never
-- changes), so that a page is a stretch of one index for each organisation, however many journeys are stored. A row
-- written without it is listed first, and never left out.
alter table journey add column holding_due timestamptz not null default '0001-01-01 00:00+00';
update journey set holding_due = s.due_at from step s where s.id = holding_step;
create index journey_next on journey (organisation, holding_due, holding_step) where holding_step is not null;
create index journey_live on journey (id) where state <> 'closed';
drop index journey_closed;
create index journey_closed on journey (organisation, closed_at, id) where state = 'closed';
drop index journey_person;
create index journey_person on journey (person);

-- Open steps by organisation and the time promised, with what a line of a list shows, so that a page is read from the index
-- alone.
create index step_open on step (organisation, due_at, id) include (kind, owner, added_owners, first_due_at, overdue_level)
    where state = 'open';

-- void_found_at is when the sentinel found a step past its grace and its journey was taken over. Only those that it has
-- not found are in its index, so that what was found long ago costs its rounds nothing.
alter table step add column void_found_at timestamptz;
update step s set void_found_at = f.found_at from finding f
    where f.reason = 'overdue' and f.journey = s.journey::text and s.state = 'open' and s.due_at < f.found_at - interval '4 hours';
drop index step_due;
create index step_void on step (due_at, id)
    where state = 'open' and journey is not null and void_found_at is null and basis not like 'by-hand/sentinel/%';
drop index finding_journey;
