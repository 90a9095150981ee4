-- +goose Up
-- The streams keep 30 days and are rebuilt from here: no younger day is dropped, whatever a process takes for today.
-- +goose StatementBegin
create function outbox_least_days() returns int language sql immutable as $$ select 31 $$;
-- +goose StatementEnd
