-- What the login of traces may do: what was done is added to and read, and goes by whole days alone.
grant select, insert on fragment to login;
