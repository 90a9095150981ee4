-- +goose Up
-- What is cancelled stays in its caller's calendar, as cancelled.
create index call_cancelled on call (team, caller, on_day) where state = 'cancelled' and caller <> '';
