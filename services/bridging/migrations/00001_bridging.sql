-- +goose Up
-- What is known of a journey, and what bridging does about it. known is rules.Known; version counts the events
-- bridging has emitted for the journey; correlation is the journey's first event.
create table journey_state (
    journey      uuid   primary key,
    organisation text   not null,
    person       text   not null,
    version      bigint not null,
    known        jsonb  not null,
    correlation  text   not null
) with (fillfactor = 70);

create table plan (
    id           uuid        primary key,
    journey      uuid        not null references journey_state (journey),
    organisation text        not null,
    person       text        not null,
    state        text        not null check (state in ('proposed', 'active', 'paused', 'ended')),
    because      text        not null,
    waiting_on   text[]      not null,
    every_days   integer     not null check (every_days between 1 and 92),
    minutes      integer     not null check (minutes between 1 and 60),
    proposed_at  timestamptz not null,
    started_at   timestamptz,
    ended_at     timestamptz,
    check ((state = 'ended') = (ended_at is not null)),
    check (state <> 'active' or started_at is not null)
) with (fillfactor = 90);

-- A journey has one plan at a time.
create unique index plan_stands on plan (journey) where ended_at is null;

create table call (
    id           uuid        primary key,
    plan         uuid        not null references plan (id),
    journey      uuid        not null,
    organisation text        not null,
    due_at       timestamptz not null,
    on_day       date        not null,
    state        text        not null check (state in ('scheduled', 'cancelled', 'reached', 'unanswered', 'not-made')),
    scheduled_at timestamptz not null,
    ended_at     timestamptz,
    check ((state = 'scheduled') = (ended_at is null))
) with (fillfactor = 90);

-- A plan has one call ahead of it at a time. call_due is where the callers' reminders will look.
create unique index call_stands on call (plan) where ended_at is null;
create index call_due on call (due_at) where ended_at is null;

-- What the sentinel may see: plans that have not ended and dead letters.
create view held (journey, state, since) as
    select journey::text, 'plan-' || state, proposed_at from plan where ended_at is null
    union all
    select journey, 'dead-letter', since from dead_letter;
grant select on held to footbridge_sentinel;
