-- What a service's login may do with flow's tables. The outbox and the inbox are only ever added to, and what came of a
-- letter stays as it came.
grant select, insert on outbox, inbox, letter to login;
grant update (state, tries, next_try_at, reason) on letter to login;
grant select on parked, dead_letter to login;
grant select, insert, update, delete on outbox_writer to login;
grant select, insert, update on outbox_stream to login;
-- Answers that were given are forgotten after their time.
grant select, insert, update, delete on idempotency to login;
grant select on incarnation to login;
grant update (number, anew) on incarnation to login;
grant select, insert, delete on figure_sample to login;
grant select, insert on letter_redriven to login;
