-- +goose Up
-- What the sentinel compares with what the others know of the same journeys: sequences and no contents.
create view account (journey, matter, value) as
    select s.journey, m.matter, m.value from journey_state s cross join lateral (values
        ('known', case when s.known ? 'begunAt' then 'yes' end),
        ('began', s.known ->> 'begunAt'),
        ('closed', case when s.known ->> 'closed' = 'true' then 'yes' end),
        ('barred', s.known ->> 'barredAt'),
        ('decided', case when s.decision is not null then 'yes' end),
        ('lines-of-threshold', s.version::text)) as m (matter, value)
    where m.value is not null;
grant select on account to footbridge_sentinel;
