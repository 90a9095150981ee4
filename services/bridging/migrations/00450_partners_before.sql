-- +goose Up
-- Partners that ring already were agreed with before anything was said of them here: they go on until followup says how they stand,
-- which it does of every partner as it starts. said is 0: whatever is said is newer.
insert into partner (id, said, first_day, last_day, away, live, invented)
    select distinct team::uuid, 0, date '2000-01-01', date '9999-12-31', array[]::date[], array[]::text[], true
    from plan where ended_at is null and started_at is not null
        and team ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    on conflict (id) do nothing;
