-- +goose Up
-- Who is signed in. The id that a browser holds stands nowhere: whoever reads this table, or a backup of it, can act as
-- nobody.
create table session (
	hash         bytea primary key,      -- SHA-256 of the id
	id           uuid not null unique,   -- names the session in a list; it opens nothing
	organisation text not null,
	role         text not null,
	subject      text not null,
	began_at     timestamptz not null,
	seen_at      timestamptz not null,   -- to the minute
	ends_at      timestamptz not null,   -- whatever is done meanwhile
	ended_at     timestamptz             -- signed out
);

create index on session (organisation, role, subject);
create index on session (ends_at);
