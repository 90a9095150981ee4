-- +goose Up
-- The last message that a rebuild published, by its place in the stream and its id. The broker may lose it again
-- before it is on disk; then the rebuild is done again.
alter table outbox_stream add column rebuilt_seq bigint not null default 0;
alter table outbox_stream add column rebuilt_id text not null default '';
