-- +goose Up
-- That the person had to tell it all again: on which local day, and to which role. The same day and role are one.
create table retold (
    journey     uuid        not null references journey (id),
    on_day      date        not null,
    to_role     text        not null,
    recorded_by text        not null,
    recorded_at timestamptz not null,
    primary key (journey, on_day, to_role)
);
