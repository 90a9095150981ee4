-- +goose Up
-- As before, without a transaction id: a server that crashed gives the ids of what it had not yet written out again,
-- so that asking what became of one may be answered for another. A transaction that changes nothing then also needs
-- none, and waits for no disk.
-- +goose StatementBegin
create or replace function flow_fence(writer_id bigint) returns text language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(writer_id);
    if not exists (select 1 from outbox_writer where id = writer_id and not closed) then
        raise exception 'writer % is closed', writer_id using errcode = 'FB001';
    end if;
    return '';
end
$$;
-- +goose StatementEnd
