-- What delivery's login may do: nothing is deleted. What stands in the log keeps its place and its id.
grant select, insert, update on journey_state, partner, offer to login;
grant select, insert on partner_event to login;
grant update (body, type, asks, given_at, withheld, tell_by) on partner_event to login;
grant select, insert, update on subscription, outgoing, attempt to login;
grant select, insert, delete on link to login; -- one that opens nothing any more is forgotten
grant select, insert, update on notice, mail, alert to login;
grant select, update on mail_channel to login;
grant select, insert, update on untold_referrer to login;
grant select, insert, update, delete on text to login; -- what ended a month ago is forgotten
grant select, insert, update on broker_cursor to login;
grant select, insert, delete on broker_given to login; -- what the partner has acknowledged is forgotten
