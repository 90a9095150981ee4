-- What followup's login may do: nothing is deleted.
grant select, insert, update on journey_state, offer, partner, appointment, offer_question, live to login;
