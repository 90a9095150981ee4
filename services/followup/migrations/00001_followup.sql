-- +goose Up
-- Third-sector organisations with an agreement in force. The id is opaque and goes on the bus; the name never does.
create table partner (
    id           uuid     primary key,
    organisation text     not null,
    service      text     not null,
    name         text     not null,
    works        boolean[] not null check (array_length(works, 1) = 7), -- Sunday first
    rank         integer  not null
);

-- What is known of a journey, and what followup does about it. known is rules.Known; version counts the events
-- followup has emitted for the journey; correlation is the journey's first event.
create table journey_state (
    journey      uuid    primary key,
    organisation text    not null,
    person       text    not null,
    status       text    not null check (status in ('waiting', 'offered', 'exhausted', 'paused', 'refused')),
    version      bigint  not null,
    known        jsonb   not null,
    correlation  text    not null
) with (fillfactor = 70);

create table offer (
    id           uuid        primary key,
    journey      uuid        not null references journey_state (journey),
    organisation text        not null,
    person       text        not null,
    partner      uuid        not null references partner (id),
    visit        text        not null,
    left_on      date        not null,
    first_day    date        not null,
    last_day     date        not null,
    late         boolean     not null,
    answer_by    timestamptz not null,
    consent      text        not null check (consent in ('not-asked', 'given')),
    state        text        not null check (state in ('raised', 'sent', 'accepted', 'waiting', 'booked', 'declined',
                                                       'passed-on', 'withdrawn', 'handed-back', 'completed')),
    raised_at    timestamptz not null,
    ended_at     timestamptz,
    because      text        not null,
    check (first_day <= last_day),
    check ((ended_at is null) = (state in ('raised', 'sent', 'accepted', 'waiting', 'booked')))
) with (fillfactor = 90);

-- One offer stands for a journey, whatever the processes do.
create unique index offer_stands on offer (journey) where ended_at is null;

-- What the sentinel may see: offers that stand and dead letters.
create view held (journey, state, since) as
    select journey::text, 'offer-' || state, raised_at from offer where ended_at is null
    union all
    select journey, 'dead-letter', since from dead_letter;

grant select on held to footbridge_sentinel;
