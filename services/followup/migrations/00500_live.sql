-- +goose Up
-- Where more organisations are live, or a partner has more holidays, than one event said until now, it is said again, whole.
update partner_news n set unsaid = true from partner p where p.id = n.partner
    and (cardinality(p.away) > 120 or (select count(*) from live where confirmed_at is not null) > 50);
