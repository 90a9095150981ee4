-- +goose Up
-- Who may be one person is looked at every few seconds: at what is flagged or waits to be, never at all that is open.
-- A column of its own, since an index over what says holds would be written anew with every change of that.
alter table visit add column may_be_double boolean not null generated always as (
    coalesce(says #> '{raised,flags}' ? 'possible-double', false)
    or (coalesce(says -> 'request' ->> 'double', '') <> '' and coalesce(says -> 'request' ->> 'settled', '') <> 'true')) stored;
create index visit_may_be_double on visit (id) where may_be_double and not withdrawn;
create index possible_double_waiting on possible_double (one) where settled_at is null;

-- As before, found from the pairs that wait, which are few.
create or replace view doubted_record as
    with pair as (
        select coalesce(a.survivor, a.id) as one, coalesce(b.survivor, b.id) as other
        from possible_double d join person a on a.id = d.one join person b on b.id = d.other
        where d.settled_at is null and a.name_hash = b.name_hash
    ), stands as (
        select one, other from pair where one <> other
            and exists (select 1 from person r join journey j on j.person = any(r.aliases || r.id) where r.id = one and j.state <> 'closed')
            and exists (select 1 from person r join journey j on j.person = any(r.aliases || r.id) where r.id = other and j.state <> 'closed')
            and not known_two(one, other)
    )
    select one as record from stands union select other from stands;
