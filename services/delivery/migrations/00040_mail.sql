-- +goose Up
-- How a partner wants to be told that something waits for it. taken is the position up to which its log has been turned into mails;
-- trouble is what came back last from its address, empty where nothing did since it was written.
create table notice (
    partner    uuid        primary key,
    by         text        not null check (by in ('none', 'email', 'telephone')),
    address    text        not null,
    digest     boolean     not null,
    taken      bigint      not null,
    trouble    text        not null default '',
    trouble_at timestamptz,
    changed_at timestamptz not null,
    version    bigint      not null
) with (fillfactor = 70);

-- One mail to a partner, one partition a day of its id, which is the Message-ID too: however often it is tried, it is one. A mail of one
-- event has its position and offer; a digest of a day has those after which the log is looked through. leased says until when an attempt is
-- under way: its result counts under it alone. code and enhanced are the last answer of the server, outcome a code.
create table mail (
    id       uuid        not null,
    partner  uuid        not null,
    kind     text        not null check (kind in ('asks', 'changed', 'digest')),
    event    uuid,
    position bigint      not null,
    journey  uuid,
    offer    uuid,
    type     text        not null,
    state    text        not null check (state in ('waiting', 'sent', 'withheld', 'refused', 'returned', 'given-up')),
    tries    integer     not null default 0,
    first_at timestamptz not null,
    due_at   timestamptz not null,
    leased   timestamptz,
    sent_at  timestamptz,
    ended_at timestamptz,
    away_at  timestamptz,
    code     integer     not null default 0,
    enhanced text        not null default '',
    outcome  text        not null default '',
    primary key (id)
) partition by range (id);
create index mail_due on mail (due_at) where state = 'waiting';
create index mail_of_partner on mail (partner, id);
create index mail_of_event on mail (event) where event is not null;

create function mail_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from mail where id >= low and id < high and state = 'waiting')
$$;
create function mail_least_days() returns integer language sql immutable as $$ select 30 $$;

-- Whether mail can be sent at all: until when it rests because of us, how often it has failed one after another, and since when.
create table mail_channel (
    one      boolean     primary key default true check (one),
    rests    timestamptz not null,
    failures integer     not null,
    since    timestamptz,
    because  text        not null
);
insert into mail_channel (rests, failures, because) values ('epoch', 0, '');

-- Somebody has to be told by another channel that something did not come to its partner.
create table alert (
    id      uuid        primary key,
    journey uuid        not null,
    offer   uuid        not null,
    at      timestamptz not null,
    due_at  timestamptz,
    tries   integer     not null default 0,
    told_at timestamptz
);
create index alert_due on alert (due_at) where due_at is not null;
