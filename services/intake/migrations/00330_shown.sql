-- +goose Up
-- Whether its partner has looked, by an offer, at who the person is: until then it may take its yes back.
alter table partner_offer add column shown boolean not null default false;
