-- +goose Up
-- Whose mailbox a notice is, where it is of an organisation that refers people: it is mailed that there is news of them. Empty for a partner.
alter table notice add column referrer text not null default '';
