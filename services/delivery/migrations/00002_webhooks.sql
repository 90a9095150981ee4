-- +goose Up
create index offer_partner_waits on offer (partner) where tell_by is not null;

-- An endpoint of a partner. taken is the position up to which its events have been taken into outgoing; next_at until when nothing is
-- sent to it. secret signs; former does too until former_until, while a partner changes over.
create table subscription (
    id           uuid        primary key,
    partner      uuid        not null,
    url          text        not null,
    types        text[]      not null, -- empty: all
    state        text        not null check (state in ('pending', 'active', 'paused', 'off', 'ended')),
    because      text        not null,
    secret       bytea       not null,
    former       bytea,
    former_until timestamptz,
    taken        bigint      not null,
    failures     integer     not null default 0, -- one after another
    slow         boolean     not null default false,
    failing_at   timestamptz, -- since when nothing has come through
    next_at      timestamptz not null,
    created_at   timestamptz not null,
    version      bigint      not null default 1
) with (fillfactor = 70);
create index subscription_of_partner on subscription (partner) where state <> 'ended';
create index subscription_works on subscription (next_at) where state in ('pending', 'active');

-- What goes to an endpoint, one row an event, one partition a day of the event's id. position is 0 for a test, whose body is here. leased
-- says until when an attempt is under way. Events of a journey go one after another, by position.
create table outgoing (
    event        uuid        not null,
    subscription uuid        not null,
    partner      uuid        not null,
    position     bigint      not null,
    journey      uuid        not null,
    offer        uuid        not null,
    type         text        not null,
    body         bytea,
    state        text        not null check (state in ('waiting', 'delivered', 'given-up', 'withheld')),
    tries        integer     not null default 0,
    first_at     timestamptz not null,
    due_at       timestamptz not null,
    leased       timestamptz,
    ended_at     timestamptz,
    primary key (event, subscription)
) partition by range (event);
create index outgoing_due on outgoing (subscription, due_at, position) where state = 'waiting';
create index outgoing_journey on outgoing (subscription, journey, position) where state = 'waiting';

-- Each attempt, written before it leaves, for the partner to read. status is 0 where nothing was answered; outcome is a code.
create table attempt (
    id           uuid        primary key,
    event        uuid        not null,
    subscription uuid        not null,
    number       integer     not null,
    at           timestamptz not null,
    ended_at     timestamptz,
    status       integer     not null default 0,
    outcome      text        not null default ''
) partition by range (id);
create index attempt_of_subscription on attempt (subscription, id);

-- +goose StatementBegin
create or replace function partner_event_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from partner_event e join offer o on o.id = e.offer
        where e.id >= low and e.id < high and o.tell_by is not null)
$$;
-- +goose StatementEnd
create function outgoing_settled(low uuid, high uuid) returns boolean language sql immutable as $$ select true $$;
create function outgoing_least_days() returns integer language sql immutable as $$ select 30 $$;
create function attempt_settled(low uuid, high uuid) returns boolean language sql immutable as $$ select true $$;
create function attempt_least_days() returns integer language sql immutable as $$ select 30 $$;
