-- +goose Up
-- What the sentinel compares with what the others know of the same journeys: which there are, how each stands, by which
-- offer a partner may read who the person is, and how many events of it were given out. Nothing of what was said.
create view account (journey, matter, value) as
    select j.id, m.matter, m.value from journey j cross join lateral (values
        ('known', 'yes'),
        ('held', case when j.state = 'held' then 'yes' end),
        ('closed', case when j.state = 'closed' then 'yes' end),
        ('taken', (select string_agg(o.id::text, ' ' order by o.id) from partner_offer o where o.journey = j.id
            and o.accepted > 0 and not o.ended and o.completed_on is null and o.turn >= j.closed_turn)),
        ('lines-of-intake', j.told::text)) as m (matter, value)
    where m.value is not null;
grant select on account to footbridge_sentinel;
