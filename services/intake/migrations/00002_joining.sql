-- +goose Up
-- Journeys that intake has spoken of. told counts the events given out about each, over all of its visits and
-- requests: it is their sequence. state is what the journey service last said, by its own sequence.
create table journey (
    id          uuid    primary key,
    person      uuid    not null,
    told        bigint  not null,
    first_event text    not null,
    opened_at   timestamptz not null,
    state       text    not null default 'open' check (state in ('open', 'held', 'closed')),
    state_at    bigint  not null default 0
) with (fillfactor = 70);
create index journey_person on journey (person);
insert into journey (id, person, told, first_event, opened_at)
    select distinct on (journey) journey, person, coalesce((says -> 'raised' ->> 'told')::bigint, 0), coalesce(says -> 'raised' ->> 'firstEvent', ''),
        raised_at
    from visit where journey is not null and person is not null order by journey, raised_at;

-- Records that carry one verified NHS number: they are one person for joining journeys and attendances, and stay
-- records of their own for consent and contact. The hash is keyed.
create table person_number (
    hash   bytea not null,
    person uuid  not null,
    primary key (hash, person)
);
create index person_number_person on person_number (person);

-- A visit whose number a hospital merged into another one (A42).
alter table visit add column joined_to text;
create index visit_joined_to on visit (organisation, joined_to) where joined_to is not null;

-- The surviving records that lookup keys, verified numbers and visits lead to, with all that share a verified number.
-- +goose StatementBegin
create function concerned_records(keys bytea[], numbers bytea[], organisations text[], visits text[]) returns setof uuid
language sql stable as $$
    with named as (
        select coalesce(p.survivor, p.id) as id from person_lookup l join person p on p.id = l.person where l.hash = any(keys)
        union
        select coalesce(p.survivor, p.id) from unnest(organisations, visits) as t(organisation, number)
        join visit v on v.organisation = t.organisation and v.number = t.number join person p on p.id = v.person
    ), hashes as (
        select n.hash from named join person r using (id) cross join unnest(r.aliases || r.id) as owner join person_number n on n.person = owner
        union
        select unnest(numbers)
    )
    select id from named
    union
    select coalesce(p.survivor, p.id) from hashes join person_number n using (hash) join person p on p.id = n.person
$$;
-- +goose StatementEnd

-- A feed that has fallen silent, whose triggers have fallen, or that brings codes nobody knows. Each is an owned
-- step, under the alarm's id as a message's.
create table alarm (
    id           uuid        primary key,
    organisation text        not null,
    sender       text        not null,
    kind         text        not null check (kind in ('feed-silent', 'triggers-falling', 'unknown-codes')),
    raised_at    timestamptz not null,
    due_at       timestamptz not null,
    cleared_at   timestamptz,
    cleared_by   text
);
create unique index alarm_open on alarm (organisation, sender, kind) where cleared_at is null;

-- What came from each feed in each hour: messages, ends of visits, triggers, and codes in a system nobody has agreed on.
create table feed_hour (
    organisation text        not null,
    sender       text        not null,
    hour         timestamptz not null,
    messages     bigint      not null,
    ends         bigint      not null,
    triggers     bigint      not null,
    unknown      bigint      not null,
    last_at      timestamptz not null,
    primary key (organisation, sender, hour)
) with (fillfactor = 50);
create index feed_hour_hour on feed_hour (hour);

create index receipt_received on receipt (received_at);

create or replace view held as
    select id as journey, 'message-quarantined' as state, received_at as since from message where outcome = 'quarantined'
    union all
    select journey, 'discharge-recorded', raised_at from visit where journey is not null and not withdrawn
    union all
    select id, 'message-quarantined', raised_at from alarm where cleared_at is null;
