-- +goose Up
-- What was said of a person, as it was said: a row for each time somebody said something, by whom, when and by which
-- way. fact_said shows it fact by fact, as it was kept before.
alter table fact_said rename to fact_said_before;
create table stated_facts (
    id          bigint generated always as identity primary key,
    person      uuid        not null,
    facts       jsonb       not null, -- by name; null where it was taken back
    way         text        not null, -- mllp, fhir, events, form, list, signals, preferences
    by_role     text        not null, -- of who recorded it, where that was somebody
    message     uuid,
    said_at     timestamptz not null,
    received_at timestamptz not null
);
create index stated_facts_person on stated_facts (person);
insert into stated_facts (person, facts, way, by_role, message, said_at, received_at)
    select person, jsonb_object_agg(fact, value), way, by_role, message, said_at, received_at from fact_said_before
    group by person, way, by_role, message, said_at, received_at order by min(id);
drop table fact_said_before;
create view fact_said as
    select s.person, f.key as fact, f.value, s.way, s.by_role, s.message, s.said_at, s.received_at
    from stated_facts s cross join jsonb_each(s.facts) f;
