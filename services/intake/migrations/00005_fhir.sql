-- +goose Up
alter table message drop constraint message_door_check;
alter table message add constraint message_door_check check (door in ('mllp', 'events', 'form', 'csv', 'fhir', 'signals'));

-- Requests of the FHIR door, as their senders ask for them again. The message leads to the visit and the journey.
create table request (
    organisation text        not null,
    id           uuid        not null, -- the sender's own, or made of its keyed hash
    correlation  text        not null, -- X-Correlation-Id
    status       text        not null check (status in ('active', 'revoked', 'entered-in-error')),
    message      uuid        not null,
    authored_at  timestamptz not null,
    changed_at   timestamptz not null,
    primary key (organisation, id)
);
create index request_correlation on request (organisation, correlation);

-- People whom a named human asked nobody to contact, until it is lifted. A death is kept with the person.
create table contact_stop (
    person uuid primary key,
    reason text not null
);
