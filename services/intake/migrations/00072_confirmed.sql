-- +goose Up
-- Whether a human confirmed that two records are one person's: one merged into the other, or both into a third.
-- +goose StatementBegin
create function confirmed_as(one uuid, other_one uuid) returns boolean language sql stable as $$
    select one = other_one or exists (select 1 from person_merge m where m.undone_at is null and m.confirmed_at is not null
        and ((m.other = other_one and m.survivor = one) or (m.other = one and m.survivor = other_one)
            or (m.other in (other_one, one) and exists (select 1 from person_merge n where n.undone_at is null and n.confirmed_at is not null
                and n.survivor = m.survivor and n.other in (other_one, one) and n.other <> m.other))))
$$;
-- +goose StatementEnd
