-- +goose Up
-- What the follow-up service said of its offers. A partner reads who somebody is by an accepted offer alone; what ended
-- one is a tombstone. This takes the place of what a yes alone had opened.
drop table access_grant;
create table partner_offer (
    id              uuid    primary key,
    journey         uuid    not null,
    partner         text    not null,
    accepted        bigint  not null, -- sequence of the first acceptance; 0 before any
    accepted_at     timestamptz,
    agreement_until date,
    agreed          bigint  not null,
    ended           boolean not null,
    completed_on    date
);
create index partner_offer_journey on partner_offer (journey);

-- What ends all of a journey's offers up to then, whenever it is heard.
alter table journey
    add column closed_at timestamptz,
    add column exhausted bigint not null default 0;

-- The id under which a partner knows a person: random, and another one for each partner.
create table partner_person (
    partner text not null,
    person  uuid not null,
    id      uuid not null unique,
    primary key (partner, person)
);
create index partner_person_person on partner_person (person);
