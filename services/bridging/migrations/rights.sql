-- What bridging's login may do: nothing is deleted but what has fired. What was asked for, who was told and who rang stay as they were said;
-- of their rows only how they stand changes.
grant select, insert, update on journey_state, plan, call, caller, partner to login;
grant select, insert on help, rota, rota_version, page, offer, rang to login;
grant update (request, journey, of_organisation, emitted, rung, round, look_at, taken_at, taken_role, taken_mark, person_knows) on help to login;
grant update (proven_at, ended_at) on rota to login;
grant update (version) on rota_version to login;
grant update (state, tries, next_at) on page to login;
grant update (mark, at) on rang to login;
grant select, insert, update on notice to login;
grant select, insert, update, delete on channel_down to login;
grant select, insert, update, delete on timer to login;
