-- +goose Up
-- The fence by a lock that only this service's login can take: ROW SHARE on the table of writers, in which no other
-- login has rights. Advisory locks belong to everybody: whoever held a writer's number, which is visible to all, kept
-- every transaction of the service waiting. Who closes a writer waits for the transactions that hold this lock at that
-- moment; later ones see that it is closed, because the check runs with a snapshot taken after the lock.
-- +goose StatementBegin
create or replace function flow_fence(writer_id bigint) returns text language plpgsql volatile as $$
begin
    lock table outbox_writer in row share mode;
    if not exists (select 1 from outbox_writer where id = writer_id and not closed) then
        raise exception 'writer % is closed', writer_id using errcode = 'FB001';
    end if;
    return '';
end
$$;
-- +goose StatementEnd

-- What may be dropped of the outbox: what its writers know to be on the broker's disk. A writer that is gone was let go
-- when all of its events had been.
-- +goose StatementBegin
create function outbox_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from outbox o join outbox_writer w on w.id = o.writer where o.id >= low and o.id < high and o.n > w.synced_upto)
$$;
-- +goose StatementEnd

-- What may be forgotten of the inbox: ids of which nothing waits for another try or for a human.
-- +goose StatementBegin
create function inbox_settled(low uuid, high uuid) returns boolean language sql stable as $$
    select not exists (select from letter where event_id >= low and event_id < high and state in ('waiting', 'dead'))
$$;
-- +goose StatementEnd
