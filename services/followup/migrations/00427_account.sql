-- +goose Up
-- What the sentinel compares with what the others know of the same journeys: sequences and ids of offers, no contents.
create view account (journey, matter, value) as
    select s.journey, m.matter, m.value from journey_state s cross join lateral (values
        ('known', case when s.known ? 'personAt' then 'yes' end),
        ('began', s.known ->> 'personAt'),
        ('visits', (jsonb_path_query_array(s.known, '$.visits.*.recorded')
            || jsonb_path_query_array(s.known, '$.visits.*.withdrawn'))::text),
        ('held', case when s.known #>> '{turn,held}' = 'true' then 'yes' end),
        ('closed', case when s.known #>> '{turn,closed}' = 'true' then 'yes' end),
        ('follow-up', (jsonb_path_query_array(s.known, '$.consent.any.at')
            || jsonb_path_query_array(s.known, '$.consent.named.*.at'))::text),
        ('contact', s.known #>> '{contact,at}'),
        ('barred', s.known ->> 'barredAt'),
        ('hours', s.known ->> 'hoursAt'),
        ('decided', case when (s.known ->> 'decided')::bigint > 0 then 'yes' end),
        ('offer', (select string_agg(o.id::text, ' ' order by o.id) from offer o where o.journey = s.journey
            and o.ended_at is null)),
        ('taken', (select string_agg(o.id::text, ' ' order by o.id) from offer o where o.journey = s.journey
            and o.ended_at is null and o.state in ('accepted', 'waiting', 'booked', 'kept', 'not-kept'))),
        ('told', (select string_agg(key, ' ' order by key) from jsonb_object_keys(s.known -> 'delivered') as key)),
        ('lines-of-followup', s.version::text)) as m (matter, value)
    where m.value is not null;
grant select on account to footbridge_sentinel;

-- An offer that stands with a partner that is not there is told to nobody.
create or replace view held (journey, state, since) as
    select journey::text, 'offer-' || state, raised_at from offer where ended_at is null
    union all
    select journey, 'dead-letter', since from dead_letter
    union all
    select o.journey::text, 'amiss-offer', o.raised_at from offer o
        where o.ended_at is null and not exists (select from partner p where p.id = o.partner);
