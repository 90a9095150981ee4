-- What bridging's login may do: nothing is deleted but what has fired.
grant select, insert, update on journey_state, plan, call, help, rota, rota_version, page, offer, caller, rang to login;
grant select, insert, update on notice to login;
grant select, insert, update, delete on channel_down to login;
grant select, insert, update, delete on timer to login;
