-- What threshold's login may do. Decisions, versions of the directory, and what services were asked and answered are
-- only ever added to.
grant select, insert, update on journey_state, running to login;
grant select, insert on decision, directory_version, asked, answered, override, told, look to login;
grant select, insert on dead_line to login;
grant update (mended_at, version) on dead_line to login;
