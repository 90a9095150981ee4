-- +goose Up
-- Cards that were written before their hours stood beside them are opened once, and their journeys told.
alter table contact_card add column hours_read boolean not null default true;
update contact_card set hours_read = false where ring_until = 0;
create index contact_card_hours on contact_card (person) where not hours_read;
