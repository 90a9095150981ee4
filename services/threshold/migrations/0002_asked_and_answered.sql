-- +goose Up
-- due_at is the start of the local day on which a criterion or a fact that is known beforehand changes, so that a door
-- may open that is not open yet; null where nothing will.
alter table journey_state add column due_at timestamptz;
create index journey_due on journey_state (due_at) where due_at is not null;

-- What a decision was made from, so that it can be replayed under other criteria; null for those made before this was
-- kept. cause is null for what no event led to: a human, the calendar, or new criteria.
alter table decision add column situation jsonb;
alter table decision alter column cause drop not null;
create index decision_when on decision using brin (decided_at);

-- A service was asked for help with a journey. recorded_by is organisation, role and name of staff; it stays here.
create table asked (
    id           uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    service      text        not null,
    asked_at     timestamptz not null,
    answer_by    timestamptz not null,
    again        boolean     not null,
    recorded_by  text        not null
);
create index asked_of_journey on asked (journey);

-- What a service answered. words are the service's own, about itself: telephone and other numbers, addresses, dates of
-- birth and titled names are refused at the door. side is where a human said that the request lies outside of the
-- service's range. facts are those known at the time; they show whether asking again has a reason.
create table answered (
    id           uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    service      text        not null,
    answer       text        not null check (answer in ('yes', 'no', 'waiting', 'no-reply')),
    side         text        not null check (side in ('', 'above', 'below')),
    axis         text        not null,
    words        text        not null check (length(words) <= 500),
    answered_by  text        not null,
    on_day       date        not null,
    facts        jsonb       not null,
    recorded_at  timestamptz not null,
    recorded_by  text        not null
);
create index answered_of_journey on answered (journey);

-- A human's decision about one door. reason is a code.
create table override (
    id           uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    service      text        not null,
    door         text        not null check (door in ('open', 'not-open')),
    reason       text        not null,
    on_day       date        not null,
    recorded_at  timestamptz not null,
    recorded_by  text        not null
);
create index override_of_journey on override (journey);

-- 'I was told…': what somebody was told a service's criterion is. It is about the service, and nobody's journey.
create table told (
    id            uuid        primary key,
    organisation  text        not null,
    service       text        not null,
    criterion     text        not null,
    on_day        date        not null,
    told          text        not null,
    words         text        not null check (length(words) <= 500),
    days          integer     not null check (days between 0 and 3660),
    scope         text[]      not null,
    did_not_refer boolean     not null,
    recorded_at   timestamptz not null,
    recorded_by   text        not null
);
create index told_of_service on told (service);

-- A published number or link that reaches nobody. line is as the directory publishes it. version counts the events
-- about the report.
create table dead_line (
    id           uuid        primary key,
    organisation text        not null,
    service      text        not null,
    line         text        not null,
    reported_at  timestamptz not null,
    due_at       timestamptz not null,
    recorded_by  text        not null,
    mended_at    timestamptz,
    version      bigint      not null
);
create unique index dead_line_once on dead_line (service, line) where mended_at is null;

-- The set of criteria that is in force, and the looking anew at open journeys that a change of it leads to: journey
-- after journey, in the order of their ids, in batches; after is how far it has come.
create table running (
    id         smallint    primary key check (id = 1),
    directory  text        not null,
    since      timestamptz not null,
    after      uuid,
    looked_at  bigint      not null,
    changed    bigint      not null,
    done_at    timestamptz
);
