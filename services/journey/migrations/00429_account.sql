-- +goose Up
-- How many steps were open when the row was stored, in the same transaction: a step that is closed, opened or deleted by
-- any other way shows by it. Null in a row from before.
alter table journey add column open_steps integer;

-- What was found of steps past their grace, by journey: a step that is marked as found without it was not.
create index finding_overdue on finding (journey, found_at) where reason = 'overdue';
