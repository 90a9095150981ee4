-- What intake's login may do. Answers, merges, erasures and looks are only ever added to; of their rows only what ends
-- or is erased changes. The ledger's days are dropped by the owner (drop_day).
grant select, insert on message to login;
grant update (raw, outcome, reason, journey, visit, person, due_at, settled_at, settled_as, settled_by) on message to login;
grant select, insert, delete on message_key, person_key to login;
grant update (wrapped) on message_key, person_key to login;
grant select, insert, delete on receipt to login;
grant select, insert, update on person, visit, journey, request to login;
grant select, insert, update, delete on person_lookup, person_number, contact_card, note, contact_stop, feed_hour, content_kept to login;
grant select, insert on consent to login;
grant update (reminded_at) on consent to login;
grant select, insert, update on partner_offer, yes_told to login;
grant select, insert, delete on partner_person to login;
grant select, insert on access_log to login;
grant update (reason) on access_log to login;
grant select, insert on person_merge to login;
grant update (confirmed_at, confirmed_by, undone_at, undone_by) on person_merge to login;
grant select, insert, delete on legal_hold to login;
grant select, insert on erasure to login;
grant select, update on content_cursor, age_cursor to login;
grant select, insert, update on alarm to login;
grant select, insert on erasure_request to login;
grant update (confirmed_at) on erasure_request to login;
grant select, insert on fact_said to login;
grant select, insert on possible_double to login;
grant update (settled_at, settled_by) on possible_double to login;
grant select on doubted_record to login;
grant select, insert on facility to login;
grant update (placed, placed_by, placed_at) on facility to login;
