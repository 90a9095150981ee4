-- +goose Up
-- Nothing remembers deliveries any more: what a service knows is a join of what was said, so that an event that comes
-- again changes nothing. The inbox is for handlers of which that is not so. It is one table, never forgotten: there is no
-- day after which an event could be applied again, or must be refused for its age.
create table inbox_now (id uuid primary key);
drop table inbox;
alter table inbox_now rename to inbox;
alter index inbox_now_pkey rename to inbox_pkey;
drop function inbox_settled(uuid, uuid);

-- Every letter may be tried again, and nothing is noted about whether it was applied: applying it again changes nothing.
alter table letter drop column counted, drop column again;
create index letter_dismissed on letter (event_id) where state = 'dismissed';
