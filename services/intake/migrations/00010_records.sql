-- +goose Up
-- A record, all that were merged with it, and all that carry the same verified NHS number: a no, and a stop of contact,
-- under any of them counts for all; no yes crosses before a human has confirmed that they are one person.
-- +goose StatementBegin
create or replace function records_of(one uuid) returns setof uuid language sql stable as $$
    with base as (
        select coalesce(p.survivor, p.id) as id from person p where p.id = one
    ), hashes as (
        select n.hash from base join person r using (id) cross join unnest(r.aliases || r.id) as owner join person_number n on n.person = owner
    ), heads as (
        select id from base
        union
        select coalesce(p.survivor, p.id) from hashes join person_number n using (hash) join person p on p.id = n.person
    )
    select q.id from heads h join person q on q.id = h.id
    union
    select q.id from heads h join person q on q.survivor = h.id
$$;
-- +goose StatementEnd
