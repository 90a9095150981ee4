-- +goose Up
-- Each set of access criteria that a decision has been made under, as it was: old decisions keep their words.
create table directory_version (
    hash      text        primary key,
    content   text        not null,
    loaded_at timestamptz not null
);

-- What is known of a journey. known is Known in rules of this service; version counts the events threshold has
-- emitted for the journey; correlation is the journey's first event; decision is the last one made.
create table journey_state (
    journey      uuid   primary key,
    organisation text   not null,
    person       text   not null,
    version      bigint not null,
    known        jsonb  not null,
    correlation  text   not null,
    decision     uuid
) with (fillfactor = 70);

-- Every decision with its full matrix, as it was made.
create table decision (
    id           uuid        primary key,
    journey      uuid        not null,
    organisation text        not null,
    directory    text        not null,
    decided_at   timestamptz not null,
    cause        uuid        not null,
    matrix       jsonb       not null
);
create index decision_of_journey on decision (journey);

-- What the sentinel may see: dead letters. A decision holds nobody.
create view held (journey, state, since) as
    select journey, 'dead-letter', since from dead_letter;
grant select on held to footbridge_sentinel;
