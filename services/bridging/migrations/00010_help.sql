-- +goose Up
-- Requests for help. A row is stored alone, first, by one statement that needs nothing but the id given; the rest is found
-- afterwards. about_id is what it was asked from; journey and of_organisation are null until they are known.
create table help (
    id              uuid        primary key,
    request         text        unique,
    about           text        not null,
    about_id        uuid        not null,
    step            uuid,
    kind            text        not null,
    at              timestamptz not null,
    asked_role      text        not null,
    asked_by        text        not null,
    asked_mark      text        not null,
    person_knows    text        not null,
    journey         uuid,
    of_organisation text,
    emitted         boolean     not null default false,
    rung            integer     not null default 0,
    round           integer     not null default 0,
    look_at         timestamptz,
    taken_at        timestamptz,
    taken_role      text        not null default '',
    taken_mark      text        not null default ''
) with (fillfactor = 80);

create index help_look on help (look_at) where look_at is not null;
create index help_about on help (about_id);

-- Who is on call: rung 1 is told first. who is a role as a code, never a name; days are 0 (Sunday) to 6.
create table rota (
    id           uuid        primary key,
    organisation text        not null,
    rung         integer     not null check (rung between 1 and 9),
    who          text        not null,
    channel      text        not null,
    address      text        not null,
    days         integer[]   not null,
    from_hour    integer     not null check (from_hour between 0 and 23),
    to_hour      integer     not null check (to_hour between 1 and 24),
    proven_at    timestamptz,
    ended_at     timestamptz
);
create index rota_stands on rota (organisation) where ended_at is null;

create table rota_version (
    organisation text   primary key,
    version      bigint not null
);

-- Who was told of a request for help. A row is there before anything leaves.
create table page (
    help    uuid        not null references help (id),
    rota    uuid        not null references rota (id),
    round   integer     not null,
    rung    integer     not null,
    state   text        not null check (state in ('sending', 'told', 'failed')),
    tries   integer     not null default 0,
    at      timestamptz not null,
    next_at timestamptz,
    primary key (help, rota, round)
);
create index page_next on page (next_at) where next_at is not null;

-- Which journey an offer is of, so that help can be asked from an offer.
create table offer (
    id      uuid primary key,
    journey uuid not null
);
