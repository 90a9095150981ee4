-- +goose Up
-- Who turned outward sending off for an organisation, and when; null where nobody has since it was asked for.
alter table live add column off_by text not null default '', add column off_at timestamptz;
create index offer_of_organisation on offer (organisation) where ended_at is null;
