-- +goose Up
-- People who sign in by an identity provider (ADR 31). What opens something stands here as its hash alone, or sealed
-- under what only a browser holds.
alter table session
	add column provider   text not null default '', -- by which somebody came in; empty: otherwise
	add column who        bytea,         -- hash of the person at the provider
	add column sid        bytea,         -- hash of their session there, where it has one
	add column since      timestamptz,   -- when the provider was asked, by our clock
	add column claims     jsonb,         -- those that the mapping looks at, to be decided by again when it changes
	add column renew      bytea,         -- sealed under the session's id: the token by which the provider is asked again
	add column checked_at timestamptz;   -- when it was asked last

-- A browser that is on its way to a provider and back.
create table attempt (
	secret   bytea primary key,          -- SHA-256 of what the browser holds
	provider text not null,
	next     text not null,              -- where they wanted to go, here
	asked_at timestamptz not null,
	used_at  timestamptz,                -- an answer came: it is taken once
	person   bytea                       -- sealed under the secret: who it is, until they have chosen a role
);
create index on attempt (asked_at);

-- A provider's word that somebody has signed out there. Sessions that began before it are over, on every replica.
create table signed_out (
	id    bytea primary key,             -- hash of its issuer and jti
	who   bytea,
	sid   bytea,
	at    timestamptz not null,
	until timestamptz not null           -- it is needed no more afterwards
);
create index on signed_out (who);
create index on signed_out (sid);
create index on signed_out (until);
