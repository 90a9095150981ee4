-- +goose Up
-- A plain hash of a body let whoever has the rows try out what the body said. body_hash is from now on the MAC of the
-- body under the sender's key, and key the hash of that key. What was kept before is forgotten now, and not within
-- seven days.
delete from idempotency;
comment on column idempotency.body_hash is 'HMAC-SHA-256 of the body, under the sender''s key';
comment on column idempotency.key is 'SHA-256 of the sender''s key, with principal and route';
