-- +goose Up
-- A held journey holds a step as an open one does: the review of the hold at least. A closed one says when and why.
alter table journey
    add column closed_at  timestamptz,
    add column closed_for text,
    add constraint held_journey_has_a_step check (state <> 'held' or holding_step is not null),
    add constraint closed_journey_says_why check ((state = 'closed') = (closed_at is not null and closed_for is not null));

-- Each time a journey was held, released, closed or reopened: by whom, and what they recorded of it, in codes and days.
-- version is the journey's own sequence.
create table turn (
    journey      uuid        not null references journey (id),
    version      bigint      not null,
    organisation text        not null,
    state        text        not null check (state in ('open', 'held', 'closed')),
    reason       text        not null,
    decided_by   text        not null check (decided_by <> ''),
    decided_at   timestamptz not null,
    details      jsonb       not null,
    primary key (journey, version)
);
