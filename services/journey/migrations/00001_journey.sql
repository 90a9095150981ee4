-- +goose Up
-- A journey is all that follows from one or more discharges or referrals in one episode. known is rules.Known;
-- version counts the events this service has emitted for it; correlation is the journey's first event.
--
-- The guarantee: an open journey holds an open step. holding_step names one of its own steps, and the foreign key
-- below, checked at commit, finds it only while that step is open; the check refuses an open journey without one.
-- Whoever closes the step that holds a journey must therefore move holding_step in the same transaction, and two
-- who close one step each cannot both commit. Counting open steps in a trigger does not hold: each of the two sees
-- the other's step still open.
create table journey (
    id            uuid        primary key,
    organisation  text        not null,
    person        text        not null,
    state         text        not null check (state in ('open', 'held', 'closed')),
    holding_step  uuid,
    holding_state text        not null generated always as ('open') stored,
    version       bigint      not null,
    known         jsonb       not null,
    correlation   text        not null,
    began_at      timestamptz, -- null while nothing but later events have arrived: arrived without its beginning
    arrived_at    timestamptz not null,
    constraint open_journey_has_a_step check (state <> 'open' or holding_step is not null)
) with (fillfactor = 70);

-- What happens next: kind, owner and due time, always. A step concerns a journey, or a message that has none (about).
-- first_due_at is never changed; an overdue step gains owners and stays. basis is what the step was opened for, so
-- that what a human has done is not asked for twice. look_at is when the step is next looked at for being overdue.
create table step (
    id              uuid        primary key,
    journey         uuid        references journey (id),
    about           text,
    organisation    text        not null,
    kind            text        not null,
    basis           text        not null,
    owner           text        not null check (owner <> ''),
    added_owners    text[]      not null,
    due_at          timestamptz not null,
    first_due_at    timestamptz not null,
    look_at         timestamptz,
    overdue_level   smallint    not null,
    acknowledged_at timestamptz,
    state           text        not null check (state in ('open', 'done', 'replaced')),
    opened_at       timestamptz not null,
    opened_by       text        not null,
    closed_at       timestamptz,
    closed_by       text        not null,
    check (num_nonnulls(journey, about) = 1),
    check ((state = 'open') = (closed_at is null)),
    check (look_at is null or state = 'open'),
    constraint step_of_journey unique (journey, id, state)
) with (fillfactor = 80);

alter table journey add constraint journey_is_held
    foreign key (id, holding_step, holding_state) references step (journey, id, state)
    deferrable initially deferred;

create unique index step_about on step (about) where about is not null;
create index step_due on step (due_at, journey) where state = 'open';
create index step_look on step (look_at) where look_at is not null;

-- What has happened, one line an event, readable by the person. sentence is the key of its words; details are few,
-- coded, and identify nobody.
create table timeline_entry (
    journey  uuid        not null,
    event    uuid        not null,
    type     text        not null,
    at       timestamptz not null,
    sentence text        not null,
    details  jsonb       not null,
    primary key (journey, event)
);

-- The sentinel: one process at a time, and what it has found, each once.
create table sentinel_lease (
    id     smallint    primary key check (id = 1),
    holder text        not null,
    until  timestamptz not null
);
insert into sentinel_lease (id, holder, until) values (1, '', '-infinity');

create table finding (
    key      text        primary key,
    journey  text        not null,
    reason   text        not null,
    since    timestamptz not null,
    found_at timestamptz not null,
    step     uuid        not null
);

-- What the sentinel may see from outside. It reads the tables themselves as this service.
create view held (journey, state, since) as
    select id::text, 'journey-' || state, arrived_at from journey where state <> 'closed'
    union all
    select journey, 'dead-letter', since from dead_letter;
grant select on held to footbridge_sentinel;
