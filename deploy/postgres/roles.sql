-- What a DBA runs, once, in the database made for Footbridge, as its owner or as a superuser. It may be run again.
--
--   createdb footbridge
--   psql -d footbridge -v ON_ERROR_STOP=1 -f roles.sql
--   psql -d footbridge -c '\password footbridge_intake'      -- and so on for each role
--
-- It makes one schema and one login role for each service, and the role of the sentinel. A service's role owns its
-- schema and has no right on any other. With this done, `footbridge serve` needs no administrator: give each service
-- its own FOOTBRIDGE_<SERVICE>_DATABASE_URL. Each makes and migrates its own tables.
--
-- The server must be PostgreSQL 15 or newer, with synchronous_commit on (it is, unless somebody turned it off): a
-- service refuses to start otherwise. Where there are standbys, make one synchronous (synchronous_standby_names): a
-- failover must not forget what was acknowledged. Migrations hold a lock of their session, so give the services a
-- direct connection or a proxy in session mode, not one that pools transactions.

do $$
declare
	service text;
	role text;
	-- On a server shared with others, shorten the list to the services that live there.
	services constant text[] := array['intake', 'threshold', 'followup', 'bridging', 'journey', 'gateway', 'console'];
begin
	if not exists (select from pg_roles where rolname = 'footbridge_sentinel') then
		create role footbridge_sentinel login noinherit;
	end if;

	foreach service in array services loop
		role := 'footbridge_' || service;
		if not exists (select from pg_roles where rolname = role) then
			execute format('create role %I login noinherit', role);
		end if;
		-- Statements name tables without a schema; they find their own and nothing else.
		execute format('alter role %I set search_path = %I', role, service);
		if not (select rolsuper from pg_roles where rolname = current_user) then
			execute format('grant %I to current_user', role); -- to give the schema away
		end if;
		if not exists (select from pg_namespace where nspname = service) then
			execute format('create schema %I authorization %I', service, role);
		end if;
		-- The sentinel may look into each schema, and is granted SELECT there on one view: <schema>.held.
		execute format('grant usage on schema %I to footbridge_sentinel', service);
		execute format('grant connect on database %I to %I', current_database(), role);
	end loop;

	execute format('grant connect on database %I to footbridge_sentinel', current_database());
end
$$;

-- Nobody else creates here, or connects. Leave the second line out where monitoring or backups use roles of their
-- own, or grant CONNECT to those.
revoke create on schema public from public;
do $$ begin execute format('revoke connect, temporary on database %I from public', current_database()); end $$;
