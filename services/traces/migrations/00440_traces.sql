-- +goose Up
-- What one service did in one trace, as far as it was handed over at once: one row per trace, service and flush. Nothing
-- here says who a person is: spans carry opaque ids, codes and counts. The day of a row is that on which it began.
create table fragment (
	id       uuid primary key,   -- a UUIDv7 of when it began; the rest follows from its spans, so that handed over twice it is one
	trace    bytea not null,     -- 16 bytes
	service  text not null,
	works    text[] not null,    -- the kinds of its work (names of spans), that of the longest first
	micros   bigint[] not null,  -- the longest of each, in microseconds
	failed   boolean not null,   -- one of its spans failed
	spans    int not null,
	journeys text[] not null,    -- that its spans or their links name
	otlp     bytea not null      -- its spans: OTLP TracesData (protobuf), compressed by zstd
) partition by range (id);

-- The spans lie beside the row: a search reads many rows and none of them.
alter table fragment alter column otlp set storage external;

create index on fragment (service, id);
create index on fragment (trace);
create index on fragment using gin (journeys) with (gin_pending_list_limit = 512);

-- +goose StatementBegin
-- All of it may go, at any time: traces tell what was done, and nothing is decided by them.
create function fragment_settled(low uuid, high uuid) returns boolean language sql immutable as $$ select true $$;
-- +goose StatementEnd

-- +goose StatementBegin
create function fragment_least_days() returns int language sql immutable as $$ select 1 $$;
-- +goose StatementEnd
