-- What a DBA runs, once, in the database made for Footbridge, as its owner or as a superuser. It may be run again.
--
--   createdb footbridge
--   psql -d footbridge -v ON_ERROR_STOP=1 -f roles.sql
--   psql -d footbridge -c '\password footbridge_intake'      -- and so on for each role
--
-- It makes for each service one schema, a role that owns it and cannot log in, and a login that owns nothing and has no
-- right on any other schema; and the login of the sentinel. Then, and after each upgrade,
--
--   FOOTBRIDGE_DATABASE_URL=<as this one> footbridge migrate
--
-- makes the tables as their owners and grants each login what it does and no more: no TRUNCATE, no DDL, DELETE only
-- where something is deleted. `footbridge serve` needs no administrator: give each service its own
-- FOOTBRIDGE_<SERVICE>_DATABASE_URL.
--
-- The server must be PostgreSQL 15 or newer, with synchronous_commit on (it is, unless somebody turned it off): a
-- service refuses to start otherwise. Where there are standbys, make one synchronous (synchronous_standby_names): a
-- failover must not forget what was acknowledged. Migrations hold a lock of their session, so give the services a
-- direct connection or a proxy in session mode, not one that pools transactions.

do $$
declare
	service text;
	role text;
	owner text;
	open regprocedure;
	-- So that no login can take all connections: six times FOOTBRIDGE_DATABASE_CONNECTIONS (12), for two processes, two
	-- that take their place in a rolling restart, the sentinel, and what people run meanwhile by hand.
	connections constant int := 72;
	-- What a login may hold, so that neither a statement gone astray nor a process that stopped in the middle of a
	-- transaction keeps others waiting for ever. A healthy statement takes a second; migrations run as the owner, without
	-- these. Your own values stay where you set some.
	waits constant text[][] := array[['statement_timeout', '2min'], ['lock_timeout', '30s'], ['idle_in_transaction_session_timeout', '1min']];
	wait text[];
	-- On a server shared with others, shorten the list to the services that live there.
	services constant text[] := array['intake', 'threshold', 'followup', 'bridging', 'journey', 'delivery', 'gateway', 'console', 'traces'];
begin
	foreach role in array array['footbridge_sentinel'] || (select array_agg('footbridge_' || s) from unnest(services) as s) loop
		if not exists (select from pg_roles where rolname = role) then
			execute format('create role %I login noinherit', role);
		end if;
		foreach wait slice 1 in array waits loop
			if not exists (select from pg_roles cross join unnest(rolconfig) as c where rolname = role and c like wait[1] || '=%') then
				execute format('alter role %I set %I = %L', role, wait[1], wait[2]);
			end if;
		end loop;
	end loop;

	foreach service in array services loop
		role := 'footbridge_' || service;
		owner := role || '_owner';
		if not exists (select from pg_roles where rolname = owner) then
			execute format('create role %I nologin noinherit', owner);
		end if;
		execute format('alter role %I connection limit %s', role, connections);
		-- Statements name tables without a schema; they find their own and nothing else.
		execute format('alter role %I set search_path = %I', role, service);
		if not (select rolsuper from pg_roles where rolname = current_user) then
			execute format('grant %I to current_user', owner); -- to give the schema away
		end if;
		if not exists (select from pg_namespace where nspname = service) then
			execute format('create schema %I authorization %I', service, owner);
		end if;
		execute format('grant usage on schema %I to %I', service, role);
		-- The sentinel may look into each schema, and is granted SELECT there on one view: <schema>.held.
		execute format('grant usage on schema %I to footbridge_sentinel', service);
		execute format('grant connect on database %I to %I', current_database(), role);
	end loop;
	-- What traces keeps may lose its last second in a crash; nothing is decided by it, and no other login may.
	if 'traces' = any (services) then
		alter role footbridge_traces set synchronous_commit = off;
	end if;

	execute format('grant connect on database %I to footbridge_sentinel', current_database());

	-- Advisory locks and large objects belong to everybody, and one login could fill the lock table or the disk of all
	-- with them. Footbridge uses neither. Only a superuser may take them away; on a managed server they stay.
	if (select rolsuper from pg_roles where rolname = current_user) then
		for open in select oid::regprocedure from pg_proc where pronamespace = 'pg_catalog'::regnamespace
				and (proname ~ '^pg_(try_)?advisory_' or proname in ('lo_creat', 'lo_create', 'lo_from_bytea')) loop
			execute format('revoke execute on function %s from public', open);
		end loop;
	end if;
end
$$;

-- Nobody else creates here, or connects. Leave the second line out where monitoring or backups use roles of their
-- own, or grant CONNECT to those.
revoke create on schema public from public;
do $$ begin execute format('revoke connect, temporary on database %I from public', current_database()); end $$;
