-- +goose Up
-- Where more organisations are live than one event said until now, it is said again, whole.
update partner_news set unsaid = true where (select count(*) from live where confirmed_at is not null) > 50;
