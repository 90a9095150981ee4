-- +goose Up
-- What is known of a journey: known is rules.JourneyState; version counts the events delivery has emitted for the journey.
create table journey_state (
    journey     uuid   primary key,
    version     bigint not null,
    known       jsonb  not null,
    correlation text   not null
) with (fillfactor = 70);

-- A partner with the last position of its log. The row is the one writer of the log: positions are given out under its lock.
create table partner (
    id   uuid   primary key,
    last bigint not null check (last >= 0)
) with (fillfactor = 70);

-- What a partner was told, one partition a day (by the time in the UUIDv7). Positions of a partner begin at 1 and have no
-- gap. body is the CloudEvent as it leaves by every way, byte for byte. given_at is when it was given out first, by whatever
-- way; until then it can be withheld. asks: it asks the partner to do something.
create table partner_event (
    id       uuid        not null,
    partner  uuid        not null,
    position bigint      not null,
    journey  uuid        not null,
    offer    uuid        not null,
    type     text        not null,
    body     bytea       not null,
    asks     boolean     not null,
    at       timestamptz not null,
    given_at timestamptz,
    withheld boolean     not null default false,
    primary key (id)
) partition by range (id);
create index partner_event_position on partner_event (partner, position);
create index partner_event_offer on partner_event (offer, position) where given_at is null;

-- Whether an offer has come to its partner. told_at is when it was first told; tell_by until when it has to have come, null where it
-- has, where a human was asked to tell them another way, or where nothing is asked of the partner any more.
create table offer (
    id       uuid        primary key,
    journey  uuid        not null,
    partner  uuid        not null,
    told_at  timestamptz not null,
    tell_by  timestamptz
);
create index offer_to_tell on offer (tell_by) where tell_by is not null;
create index offer_held_journey on offer ((journey::text)) where tell_by is not null;

-- What may be forgotten of the log: days of which nothing waits to come to its partner.
-- +goose StatementBegin
create function partner_event_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from partner_event e join offer o on o.id = e.offer
        where e.id >= low and e.id < high and o.tell_by is not null)
$$;
-- +goose StatementEnd
create function partner_event_least_days() returns integer language sql immutable as $$ select 30 $$;

-- What the sentinel may see: offers that have not come to their partner, and dead letters.
create view held (journey, state, since) as
    select journey::text, 'telling', told_at from offer where tell_by is not null
    union all
    select journey, 'dead-letter', since from dead_letter;

grant select on held to footbridge_sentinel;
