-- +goose Up
-- An alarm about a feed is in the ledger as a message set aside by the system itself: an owned step with words and a
-- due time, dismissed like any other. The table says which ones stand.
alter table message drop constraint if exists message_door_check;
alter table message add constraint message_door_check check (door in ('mllp', 'events', 'form', 'csv', 'fhir', 'signals', 'alarm'));
alter table alarm drop column due_at;
create or replace view held as
    select id as journey, 'message-quarantined' as state, received_at as since from message where outcome = 'quarantined'
    union all
    select journey, 'discharge-recorded', raised_at from visit where journey is not null and not withdrawn;
