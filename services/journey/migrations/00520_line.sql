-- +goose Up
-- What an open step's line in a list says of its journey (StepAbout), kept on the step: a page reads no journey's row, so
-- that it costs as much however many are stored. Steps without it, those of journeys from which somebody is kept above
-- all, are read with their journey. That these have none is kept here, whichever program writes a journey.
alter table step add column line json;
-- +goose StatementBegin
create function forget_lines() returns trigger language plpgsql as $$
begin
    update step set line = null where journey = new.id and line is not null;
    return null;
end
$$;
-- +goose StatementEnd
create trigger journey_barred after update of barred on journey for each row
    when (old.barred is distinct from new.barred) execute function forget_lines();

-- What is new on a list is told by transactions and not by times: what was opened earlier and committed later is new to
-- whoever has read the list in between. came_in is the transaction by which a step came to those who have it now.
alter table step add column opened_in xid8 not null default '0', add column came_in xid8 not null default '0';
alter table step alter column opened_in set default pg_current_xact_id(), alter column came_in set default pg_current_xact_id();
drop index step_opened;
create index step_came on step (organisation, came_in) where state = 'open';
