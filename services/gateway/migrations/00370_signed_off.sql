-- +goose Up
-- A worker who was signed out everywhere: the services that gave them something to read by are told, and told again
-- until each has taken it. Null: there is nobody to tell.
alter table worker add column off_at timestamptz, add column off_tries int not null default 0;
create index worker_off on worker (off_at) where off_at is not null;
-- Those who had left before it was told.
update worker set off_at = ended_at where ended_at is not null;
