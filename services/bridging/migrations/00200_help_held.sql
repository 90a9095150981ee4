-- +goose Up
-- Help that no journey was told of is held, for the sentinel: whoever asked from something that is not known here is looked
-- for, whether or not anybody was on call.
create or replace view held (journey, state, since) as
    select journey::text, 'plan-' || state, proposed_at from plan where ended_at is null
    union all
    select journey, 'dead-letter', since from dead_letter
    union all
    select coalesce(journey, about_id)::text, 'help', at from help where taken_at is null and not emitted;

create index help_held_since on help (at) where taken_at is null and not emitted;
create index help_held_journey on help ((coalesce(journey, about_id)::text)) where taken_at is null and not emitted;
