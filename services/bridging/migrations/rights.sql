-- What bridging's login may do: nothing is deleted.
grant select, insert, update on journey_state, plan, call to login;
