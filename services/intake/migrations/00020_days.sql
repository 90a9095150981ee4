-- +goose Up
-- A day of the ledger may go when a human has looked at each message that was put before one; its keys no sooner.
-- +goose StatementBegin
create function message_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from message where id >= low and id < high and outcome = 'quarantined')
$$;
create function message_key_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select message_settled(low, high)
$$;
-- +goose StatementEnd
