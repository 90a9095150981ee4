-- Answers that were given are forgotten after their time.
grant select, insert, update, delete on idempotency to login;
