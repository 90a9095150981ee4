-- +goose Up
-- Records from before searching have no hashes: whoever runs reads them once, and searching finds them then. So it is with what a
-- replica of the version before writes meanwhile.
alter table person add column searchable boolean not null default false;
create index person_unsearchable on person (id) where not searchable;
