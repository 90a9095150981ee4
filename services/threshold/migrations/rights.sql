-- What threshold's login may do. Decisions, versions of the directory, and what services were asked and answered are
-- only ever added to.
grant select, insert, update on journey_state, running, told, dead_line to login;
grant select, insert, update on decision, directory_version, asked, answered, override to login;
grant select, insert on look to login;
