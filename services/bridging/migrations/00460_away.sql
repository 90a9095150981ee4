-- +goose Up
-- Whether a partner is away for so much of the sixty days from a day on that no call of its own can be placed within them.
-- +goose StatementBegin
create function gone_long(away date[], today date) returns boolean language sql immutable as $$
    select count(distinct d) > 39 from generate_series(1, cardinality(away), 2) i,
        generate_series(greatest(away[i], today), least(away[i + 1], today + 59), '1 day') d
$$;
-- +goose StatementEnd
