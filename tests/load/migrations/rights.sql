-- What a stage's login may do.
grant select, insert on unit to login;
