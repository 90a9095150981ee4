-- +goose Up
-- As before, in PL/pgSQL: a function in SQL is planned anew by every statement that calls it, which took more than all
-- else about a message. Nearly every message is about somebody who is not known yet: then nothing more is looked for.
-- +goose StatementBegin
create or replace function concerned_records(keys bytea[], numbers bytea[], organisations text[], visits text[]) returns setof uuid
language plpgsql stable as $$
declare
    named uuid[] := array(
        select coalesce(p.survivor, p.id) from person_lookup l join person p on p.id = l.person where l.hash = any(keys)
        union
        select coalesce(p.survivor, p.id) from unnest(organisations, visits) as t(organisation, number)
        join visit v on v.organisation = t.organisation and v.number = t.number join person p on p.id = v.person);
begin
    if cardinality(named) = 0 and coalesce(cardinality(numbers), 0) = 0 then
        return;
    end if;
    return query
        with hashes as (
            select n.hash from person r cross join unnest(r.aliases || r.id) as owner join person_number n on n.person = owner
            where r.id = any(named)
            union
            select unnest(numbers)
        )
        select unnest(named)
        union
        select coalesce(p.survivor, p.id) from hashes join person_number n using (hash) join person p on p.id = n.person;
end
$$;
-- +goose StatementEnd
