-- +goose Up
-- The ledger: everything received, with its answer and outcome, one partition a day (by the time in the UUIDv7).
-- raw is the message as it came, sealed under a key of its own; nothing else here identifies anybody.
create table message (
    id           uuid        not null,
    organisation text        not null,
    sender       text        not null,
    received_at  timestamptz not null,
    door         text        not null check (door in ('mllp', 'events', 'form')),
    control_id   text        not null,
    content_hash bytea       not null,
    type         text        not null,
    ack          text        not null, -- accepted, failed, refused, none
    outcome      text        not null check (outcome in ('joined', 'raised', 'raised-flagged', 'corrected', 'cancelled',
                                                         'ignored', 'duplicate', 'quarantined', 'rejected')),
    reason       text        not null,
    visit        uuid,
    journey      uuid,
    raw          bytea,
    trace        text        not null,
    due_at       timestamptz, -- of a quarantined one: by when a human has to have looked
    settled_at   timestamptz,
    settled_as   text,        -- released or dismissed, by a human
    settled_by   text,        -- role and subject of whoever released or dismissed it
    primary key (id)
) partition by range (id);
create index message_quarantined on message (received_at) where outcome = 'quarantined';

-- Wrapped keys live apart from what they open, so that backups of the one need not be kept with the other.
create table message_key (
    message uuid  not null,
    wrapped bytea not null,
    primary key (message)
) partition by range (message);

-- What has been received from whom under which control id: a resend is known by it, in any process.
create table receipt (
    sender       text  not null, -- organisation and sending application, or an event's source
    control_id   text  not null,
    content_hash bytea not null,
    message      uuid  not null,
    received_at  timestamptz not null,
    primary key (sender, control_id, content_hash)
);

create table person (
    id           uuid    primary key, -- random: it tells nothing
    organisation text    not null,
    survivor     uuid,                -- the record this one was merged into
    aliases      uuid[]  not null,    -- the records that were merged into this one
    deceased     boolean not null,
    anonymous    boolean not null,
    identity     bytea   not null,    -- sealed under the person's key
    said_at      timestamptz not null,
    said_seq     bigint  not null,
    version      bigint  not null
) with (fillfactor = 70);
create index person_survivor on person (survivor) where survivor is not null;

create table person_key (
    person  uuid  primary key,
    wrapped bytea not null
);

-- Keyed hashes by which a person is found again. Inserting one also serialises two messages that are the first
-- about somebody.
create table person_lookup (
    hash   bytea primary key,
    person uuid  not null
);

create table visit (
    id           uuid    primary key,
    organisation text    not null,
    number       text    not null, -- PV1-19; '~' and a message's id where the sender gave none
    person       uuid,
    version      bigint  not null,
    says         jsonb   not null, -- VisitSays: coded, without identity and free text
    journey      uuid,
    raised_at    timestamptz,
    withdrawn    boolean not null,
    unique (organisation, number)
) with (fillfactor = 60);
create index visit_person on visit (person);
create index visit_journey on visit (journey) where journey is not null;

-- What the person said yes or no to, as it was reported; the newest counts.
create table consent (
    message      uuid        not null,
    organisation text        not null,
    person       uuid        not null,
    journey      uuid        not null,
    purpose      text        not null,
    given        boolean     not null,
    how          text        not null,
    recorded_by  text        not null,
    said_at      timestamptz not null,
    primary key (person, purpose, message)
);

-- What the sentinel may see: quarantined messages (each is its own journey there) and visits that have raised one.
create view held as
    select id as journey, 'message-quarantined' as state, received_at as since from message where outcome = 'quarantined'
    union all
    select journey, 'discharge-recorded', raised_at from visit where journey is not null and not withdrawn;
grant select on held to footbridge_sentinel;
