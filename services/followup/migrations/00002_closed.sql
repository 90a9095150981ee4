-- +goose Up
-- A journey that is closed: nothing is offered any more.
alter table journey_state drop constraint journey_state_status_check;
alter table journey_state add constraint journey_state_status_check
    check (status in ('waiting', 'offered', 'exhausted', 'paused', 'refused', 'closed'));
