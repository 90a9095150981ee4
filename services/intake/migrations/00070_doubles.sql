-- +goose Up
-- Two records at one organisation with open journeys of their own that may be one person: the same name and birth
-- date, and no two different verified NHS numbers. A human compares them; settled ones are not asked about again.
create table possible_double (
    one        uuid        not null,
    other      uuid        not null check (one < other),
    found_at   timestamptz not null,
    settled_at timestamptz,
    settled_by text,
    primary key (one, other)
);
create index possible_double_other on possible_double (other);
create index journey_open on journey (person) where state <> 'closed';

-- Whether two records are known to be two people: each carries a verified NHS number, and they share none.
-- +goose StatementBegin
create function known_two(a uuid, b uuid) returns boolean language sql stable as $$
    select exists (select 1 from person_number where person in (select records_of(a)))
        and exists (select 1 from person_number where person in (select records_of(b)))
        and not exists (select 1 from person_number n join person_number m using (hash)
            where n.person in (select records_of(a)) and m.person in (select records_of(b)))
$$;
-- +goose StatementEnd

-- Surviving records with an open journey of which a human has yet to say whether they are one with another such record.
create view doubted_record as
    with open as (
        select distinct coalesce(p.survivor, p.id) as record from journey j join person p on p.id = j.person where j.state <> 'closed'
    ), pair as (
        select coalesce(a.survivor, a.id) as one, coalesce(b.survivor, b.id) as other
        from possible_double d join person a on a.id = d.one join person b on b.id = d.other
        where d.settled_at is null and a.name_hash = b.name_hash
    ), stands as (
        select one, other from pair where one <> other and one in (select record from open) and other in (select record from open) and not known_two(one, other)
    )
    select one as record from stands union select other from stands;
