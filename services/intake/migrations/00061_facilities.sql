-- +goose Up
-- Where messages came from that is agreed with no organisation. Until a human has said whose it is, it is the host's to
-- look at. organisation is as in the ledger: a code, or what stands for a spelling that may not be seen.
create table facility (
    organisation text        primary key,
    host         text        not null,
    sender       text        not null, -- who sent from there first
    message      uuid        not null, -- the first message, in which its spelling stands
    first_at     timestamptz not null,
    placed       text,
    placed_by    text,                 -- role and subject
    placed_at    timestamptz
);

-- Whose a facility's people are: its own where it is agreed.
-- +goose StatementBegin
create function owner_of(facility_code text) returns text language sql stable as $$
    select coalesce((select coalesce(f.placed, f.host) from facility f where f.organisation = facility_code), facility_code)
$$;
-- +goose StatementEnd
-- +goose StatementBegin
create function is_placed(facility_code text) returns boolean language sql stable as $$
    select not exists (select 1 from facility f where f.organisation = facility_code and f.placed is null)
$$;
-- +goose StatementEnd
