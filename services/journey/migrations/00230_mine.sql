-- +goose Up
-- Whose step it is: the open steps of one owner, by the time promised, are a stretch of an index of their own, however
-- many others' are stored.
create index step_owned on step (organisation, owner, due_at, id) where state = 'open';

-- The open steps that an owner was added to, one row each, kept by the table of steps itself.
create table added_owner (
    organisation text        not null,
    owner        text        not null,
    due_at       timestamptz not null,
    step         uuid        not null references step (id),
    primary key (organisation, owner, due_at, step)
);
create index added_owner_step on added_owner (step);
insert into added_owner (organisation, owner, due_at, step)
    select distinct s.organisation, o.name, s.due_at, s.id from step s cross join unnest(s.added_owners) as o(name) where s.state = 'open';

-- +goose StatementBegin
create function keep_added_owners() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' then
        delete from added_owner where step = old.id;
    end if;
    if new.state = 'open' then
        insert into added_owner (organisation, owner, due_at, step)
            select distinct new.organisation, o.name, new.due_at, new.id from unnest(new.added_owners) as o(name);
    end if;
    return null;
end
$$;
-- +goose StatementEnd
create trigger step_opened_with_added after insert on step for each row when (new.added_owners <> '{}') execute function keep_added_owners();
create trigger step_added after update of added_owners, state, organisation on step for each row
    when ((old.added_owners <> '{}' or new.added_owners <> '{}')
        and (old.added_owners, old.state, old.organisation) is distinct from (new.added_owners, new.state, new.organisation))
    execute function keep_added_owners();
