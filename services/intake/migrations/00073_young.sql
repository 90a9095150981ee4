-- +goose Up
-- Senders resend after weeks, and late coding finds its visit: no younger day of the ledger is dropped, nor its keys.
-- +goose StatementBegin
create function message_least_days() returns int language sql immutable as $$ select 60 $$;
create function message_key_least_days() returns int language sql immutable as $$ select 60 $$;
-- +goose StatementEnd
