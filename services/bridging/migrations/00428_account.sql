-- +goose Up
-- What the sentinel compares with what the others know of the same journeys: sequences and ids of plans, no contents.
create view account (journey, matter, value) as
    select s.journey, m.matter, m.value from journey_state s cross join lateral (values
        ('known', case when s.known ? 'personAt' then 'yes' end),
        ('began', s.known ->> 'personAt'),
        ('visits', (jsonb_path_query_array(s.known, '$.visits.*.recorded')
            || jsonb_path_query_array(s.known, '$.visits.*.withdrawn'))::text),
        ('held', case when s.known #>> '{turn,held}' = 'true' then 'yes' end),
        ('closed', case when s.known #>> '{turn,closed}' = 'true' then 'yes' end),
        ('calls', (jsonb_path_query_array(s.known, '$.consent.any.at')
            || jsonb_path_query_array(s.known, '$.consent.named.*.at'))::text),
        ('contact', s.known #>> '{contact,at}'),
        ('barred', s.known ->> 'barredAt'),
        ('hours', s.known ->> 'hoursAt'),
        ('plan', (select p.id::text from plan p where p.journey = s.journey and p.state <> 'ended' and p.told)),
        ('lines-of-bridging', s.version::text)) as m (matter, value)
    where m.value is not null;
grant select on account to footbridge_sentinel;

-- A call that is to be made by nobody's callers is on nobody's list.
create or replace view held (journey, state, since) as
    select journey::text, 'plan-' || state, proposed_at from plan where ended_at is null
    union all
    select journey, 'dead-letter', since from dead_letter
    union all
    select coalesce(journey, about_id)::text, 'help', at from help where taken_at is null and not emitted
    union all
    select c.journey::text, 'amiss-call', c.scheduled_at from call c where c.ended_at is null and c.team = '';
create index call_amiss on call ((journey::text)) where ended_at is null and team = '';
