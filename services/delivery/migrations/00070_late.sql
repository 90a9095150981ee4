-- +goose Up
-- tell_by is until when an event has to have come to a partner that has an endpoint for it, or a navigator tells them another way; null
-- where nobody looks any more. taken is up to which position the partner has said, by the feed or the stream, that it has everything.
alter table partner_event add column tell_by timestamptz;
create index partner_event_to_come on partner_event (tell_by) where tell_by is not null;
alter table partner add column taken bigint not null default 0;

-- What may be forgotten of the log: days of which nothing waits to come to its partner.
-- +goose StatementBegin
create or replace function partner_event_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from partner_event e left join offer o on o.id = e.offer
        where e.id >= low and e.id < high and (o.tell_by is not null or e.tell_by is not null))
$$;
-- +goose StatementEnd
