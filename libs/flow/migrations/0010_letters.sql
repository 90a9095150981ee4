-- +goose Up
-- Everything that could not be applied: one row a message, kept for good, so that nothing that was applied after all can
-- be applied again. subject, headers and payload are what arrived, byte for byte: not every message is text.
--
-- state: waiting (for another try), dead (a human must look), applied, dismissed (a human has seen to it otherwise).
-- counted: the inbox holds this id, put there together with this row. again: it may be tried again; where the inbox
-- no longer remembers whether the event had been applied, it may not.
create table letter (
    event_id    uuid        primary key,
    type        text        not null,
    journey     text        not null,
    subject     bytea       not null,
    headers     bytea       not null,
    payload     bytea       not null,
    reason      text        not null,
    state       text        not null check (state in ('waiting', 'dead', 'applied', 'dismissed')),
    counted     boolean     not null,
    again       boolean     not null,
    tries       integer     not null,
    next_try_at timestamptz not null,
    since       timestamptz not null
);
create index letter_next_try on letter (next_try_at) where state = 'waiting';
create index letter_dead on letter (since) where state = 'dead';

insert into letter select event_id, type, journey, '', '', convert_to(payload, 'UTF8'), reason, 'waiting', true, true, tries, next_try_at, parked_at from parked;
insert into letter select event_id, type, journey, '', '', convert_to(payload, 'UTF8'), reason, 'dead',
    exists (select from inbox where id = event_id), reason not like '%older than the inbox remembers%', 0, since, since from dead_letter
    on conflict do nothing;
drop table parked;
alter table dead_letter rename to dead_letter_before;
create view parked as select event_id, type, journey, reason, tries, next_try_at, since as parked_at from letter where state = 'waiting';
create view dead_letter as select event_id, type, journey, reason, since from letter where state = 'dead';

-- The view `held` of a schema that was there before reads from the new view.
-- +goose StatementBegin
do $$ begin
    if to_regclass('held') is not null then
        execute 'create or replace view held as ' || replace(pg_get_viewdef('held'::regclass), 'dead_letter_before', 'dead_letter');
    end if;
end $$;
-- +goose StatementEnd
drop table dead_letter_before;
