-- +goose Up
-- Named workers of partners, who sign in by a link to their mailbox and a second factor outside it (ADR 28). What names
-- somebody is sealed under a key of their own; what opens something stands here as its hash alone, or sealed.
create table worker (
	id         uuid primary key,      -- the subject of their sessions
	partner    text not null,
	wrapped    bytea not null,        -- their key, wrapped
	name       bytea not null,        -- sealed
	mail       bytea not null,        -- sealed; empty once they have left
	phone      bytea not null,        -- sealed: the number recorded with the agreement, to tell them a code
	mail_hash  bytea,                 -- keyed; null once they have left
	added_at   timestamptz not null,
	ended_at   timestamptz,           -- they have left
	code_hash  bytea,                 -- keyed: a code that was told to them by voice, for one sign-in
	code_until timestamptz,
	totp       bytea,                 -- sealed: the secret of their authenticator
	totp_step  bigint not null default 0, -- the last step that was taken: none is taken twice
	wrong      int not null default 0,    -- wrong second factors since wrong_at
	wrong_at   timestamptz
);
create unique index worker_mail on worker (mail_hash) where ended_at is null;
create index on worker (partner, added_at);

create table passkey (
	credential bytea primary key,     -- its id, as the device gave it
	worker     uuid not null references worker,
	record     bytea not null,        -- its public key and counters
	added_at   timestamptz not null,
	used_at    timestamptz
);
create index on passkey (worker);

-- Somebody asked for a link, whether that address is anybody's here or not.
create table sign_in (
	id        uuid primary key,       -- names its mail too
	mail_hash bytea not null,
	asked_at  timestamptz not null,
	worker    uuid references worker, -- null: nobody's address, or not looked up yet
	link      bytea unique,           -- SHA-256 of the link's token
	sealed    bytea,                  -- the token, until its mail was handed over
	tries     int not null default 0,
	next_at   timestamptz,            -- when its mail is tried next; null: there is nothing more to do
	used_at   timestamptz,            -- the link was used: it works once
	pending   bytea unique,           -- SHA-256 of what the browser holds between link and second factor
	until     timestamptz,            -- of pending
	wrong     int not null default 0,
	ceremony  bytea,                  -- what a passkey was asked to sign
	candidate bytea,                  -- sealed: the secret of an authenticator that is being added
	proved_at timestamptz             -- the second factor was shown
);
create index on sign_in (mail_hash, asked_at);
create index on sign_in (next_at) where next_at is not null;
create index on sign_in (asked_at);

-- What was done about a worker, and by whom.
create table worker_log (
	worker uuid not null references worker,
	at     timestamptz not null,
	what   text not null,
	by     text not null,
	id     uuid primary key
);
create index on worker_log (worker, at);
