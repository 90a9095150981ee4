-- +goose Up
-- A writer is a process that puts events into the outbox. beats only ever grows while its owner lives; who sees it
-- stand still for long enough may close the writer and take over what it has not published. synced_upto: every
-- event of this writer with n up to it has been acknowledged by the broker, long enough ago to be on its disk.
create table outbox_writer (
    id          bigint primary key,
    beats       bigint  not null,
    closed      boolean not null,
    owner       bigint  not null,
    synced_upto bigint  not null
);

-- Every event this service has given out, append only, one partition a day (by the time in the UUIDv7).
create table outbox (
    id      uuid   not null,
    writer  bigint not null,
    n       bigint not null,
    subject text   not null,
    payload text   not null,
    primary key (id)
) partition by range (id);
create index outbox_writer_n on outbox (writer, n);

-- The stream this service publishes to, as last seen: another creation time means that somebody re-created it, a
-- first sequence that leapt means that somebody purged it. Either way it is rebuilt from the outbox.
create table outbox_stream (
    name      text   primary key,
    created   text   not null,
    first_seq bigint not null
);

-- The ids of events that have been applied (or parked): an event is counted once.
create table inbox (
    id uuid not null,
    primary key (id)
) partition by range (id);

-- Events that could not be applied, each with its reason, waiting for another try.
create table parked (
    event_id    uuid        primary key,
    type        text        not null,
    journey     text        not null,
    payload     text        not null,
    reason      text        not null,
    tries       integer     not null,
    next_try_at timestamptz not null,
    parked_at   timestamptz not null
);
create index parked_next_try on parked (next_try_at);

-- Events that could not be applied after the last try. Each counts as the void until a human redrives it.
create table dead_letter (
    event_id uuid        primary key,
    type     text        not null,
    journey  text        not null,
    payload  text        not null,
    reason   text        not null,
    since    timestamptz not null
);

-- Called first in every transaction that gives events out. The shared lock keeps a taker-over, who wants it
-- exclusively, away until this transaction has ended; the check runs with a snapshot taken after the lock. Returns
-- the transaction's id, by which the outcome of its commit can be asked for later.
-- +goose StatementBegin
create function flow_fence(writer_id bigint) returns text language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(writer_id);
    if not exists (select 1 from outbox_writer where id = writer_id and not closed) then
        raise exception 'writer % is closed', writer_id using errcode = 'FB001';
    end if;
    return pg_current_xact_id()::text;
end
$$;
-- +goose StatementEnd
