-- What bridging's login may do: nothing is deleted.
grant select, insert, update on journey_state, plan, call, help, rota, rota_version, page, offer, caller, rang to login;
