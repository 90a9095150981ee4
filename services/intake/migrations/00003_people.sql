-- +goose Up
-- Whose message it was, so that erasing a person finds all that was kept of what others sent about them.
alter table message add column person uuid;
create index message_person on message (person) where person is not null;
create index message_visit on message (visit) where visit is not null;

alter table person add column name_hash bytea; -- keyed: local name and birth date, to find possible doubles
create index person_name_hash on person (name_hash) where name_hash is not null;
create index person_unverified on person (said_at) where anonymous and name_hash is not null;

-- A record and all that were merged with it.
-- +goose StatementBegin
create function records_of(one uuid) returns setof uuid language sql stable as $$
    select q.id from person p join person q on q.id = coalesce(p.survivor, p.id) or q.survivor = coalesce(p.survivor, p.id) where p.id = one
$$;
-- +goose StatementEnd

-- An answer is only ever added; the newest counts, to each purpose and each addressee. It stays with the record it
-- was said under. towards is a partner's opaque id, empty for any.
alter table consent
    add column towards    text    not null default '',
    add column state      text    not null default '' check (state in ('', 'given', 'declined', 'withdrawn')),
    add column giver      text    not null default 'person',
    add column told       text[]  not null default '{}',
    add column doubt      boolean not null default false,
    add column until_day  date,
    add column reminded_at timestamptz;
alter table consent drop constraint consent_pkey;
alter table consent add primary key (person, purpose, towards, message);
create index consent_journey on consent (journey);
create index consent_until on consent (until_day) where until_day is not null and reminded_at is null;

-- How a person may be reached, and what they asked for: one document, sealed under their key. The rest is what
-- loops and pages need to know of it without opening it.
create table contact_card (
    person          uuid        primary key,
    sealed          bytea       not null,
    version         bigint      not null,
    confirmed       boolean     not null,
    no_safe_channel boolean     not null,
    needs           boolean     not null,
    changed_at      timestamptz not null,
    look_at         timestamptz -- a message has said something of the person since
);
create index contact_card_look on contact_card (look_at) where look_at is not null;

-- Free text about a person, sealed under their key.
create table note (
    id      uuid        primary key,
    person  uuid        not null,
    journey uuid,
    kind    text        not null, -- may-consent, merge, unmerge
    sealed  bytea       not null,
    by_role text        not null,
    at      timestamptz not null
);
create index note_person on note (person);

-- Who may read who the person of a journey is.
create table access_grant (
    id           uuid        primary key,
    journey      uuid        not null,
    person       uuid        not null,
    organisation text        not null,
    purpose      text        not null,
    until_day    date,
    begun_at     timestamptz not null,
    ended_at     timestamptz
);
create unique index access_grant_open on access_grant (journey, organisation, purpose) where ended_at is null;

-- Every look at who somebody is, refused ones too. reason is sealed under the person's key.
create table access_log (
    id           uuid        primary key,
    person       uuid        not null,
    journey      uuid        not null,
    organisation text        not null,
    role         text        not null,
    subject      text        not null,
    sees         text        not null, -- all, partner, or empty
    refused      text        not null,
    reason       bytea       not null,
    at           timestamptz not null
);
create index access_log_person on access_log (person, id);

-- Records that a human said are one person. before is what undoing restores: codes and ids only.
create table person_merge (
    id           uuid        primary key,
    survivor     uuid        not null,
    other        uuid        not null,
    before       jsonb       not null,
    merged_at    timestamptz not null,
    merged_by    text        not null,
    confirmed_at timestamptz,
    confirmed_by text,
    undone_at    timestamptz,
    undone_by    text
);
create unique index person_merge_open on person_merge (other) where undone_at is null;
create index person_merge_survivor on person_merge (survivor);

-- Nothing of these people may be erased while the row is there.
create table legal_hold (
    person    uuid        primary key,
    placed_at timestamptz not null,
    placed_by text        not null
);

create table erasure (
    person    uuid        not null,
    at        timestamptz not null,
    asked_by  text[]      not null, -- two named members of staff
    reason    text        not null,
    erased    jsonb       not null, -- rows by table
    primary key (person, at)
);

-- How far the content of what is out of scope has been looked through, and messages to look at again.
create table content_cursor (
    one  boolean primary key check (one),
    upto uuid    not null
);
insert into content_cursor (one, upto) values (true, '00000000-0000-0000-0000-000000000000');
create table content_kept (
    message uuid        primary key,
    look_at timestamptz not null
);
create index content_kept_look on content_kept (look_at);
