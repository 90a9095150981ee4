-- +goose Up
-- What the sentinel compares with what the others know of the same journeys: sequences and ids of offers, no contents.
create view account (journey, matter, value) as
    select s.journey, m.matter, m.value from journey_state s cross join lateral (values
        ('held', case when s.known #>> '{turn,held}' = 'true' then 'yes' end),
        ('closed', case when s.known #>> '{turn,closed}' = 'true' then 'yes' end),
        ('follow-up', (jsonb_path_query_array(s.known, '$.consent.any.at')
            || jsonb_path_query_array(s.known, '$.consent.named.*.at'))::text),
        ('contact', s.known #>> '{contact,at}'),
        ('barred', s.known ->> 'barredAt'),
        ('told', (select string_agg(o.key, ' ' order by o.key) from jsonb_each(s.known -> 'offers') as o
            where jsonb_array_length(coalesce(o.value -> 'made', '[]')) > 0)),
        ('lines-of-delivery', s.version::text)) as m (matter, value)
    where m.value is not null;
grant select on account to footbridge_sentinel;

-- A mail that still waits, since when: the sentinel finds one that has waited for longer than mails may. One that is of no
-- journey is named by itself.
create or replace view held (journey, state, since) as
    select journey::text, 'telling', told_at from offer where tell_by is not null
    union all
    select journey, 'dead-letter', since from dead_letter
    union all
    select coalesce(journey::text, 'mail/' || id::text), 'amiss-mail', first_at from mail where state = 'waiting';
create index mail_amiss on mail ((coalesce(journey::text, 'mail/' || id::text))) where state = 'waiting';
create index mail_amiss_since on mail (first_at) where state = 'waiting';
