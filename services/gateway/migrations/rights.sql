-- What the gateway's login may do: who signed in stays who signed in.
grant select, insert, delete on session to login;
grant update (seen_at, ended_at, claims, renew, checked_at) on session to login;
grant select, insert, update, delete on attempt to login;
grant select, insert, delete on signed_out to login;
grant select, insert, update on worker to login;
grant select, insert, update, delete on passkey to login;
grant select, insert, update, delete on sign_in to login;
grant select, insert on worker_log to login;
