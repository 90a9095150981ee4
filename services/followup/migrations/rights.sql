-- What followup's login may do: nothing is deleted. What was asked, booked and decided stays as it was; of such a row only
-- what answers or ends it changes.
grant select, insert, update on journey_state, offer, partner, partner_news, calendar to login;
grant select, insert on appointment, offer_question, live, offer_page to login;
grant update (state, ended_at) on appointment to login;
grant update (reply, answered_at) on offer_question to login;
grant update (safety_officer, hazard_log, dpia, caldicott, asked_by, asked_at, confirmed_by, confirmed_at, off_by, off_at)
    on live to login;
