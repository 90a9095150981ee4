-- +goose Up
-- What a partner was told of one offer, also once it was given out: it is listed for the person.
create index partner_event_of_offer on partner_event (offer, position);
drop index partner_event_offer;
