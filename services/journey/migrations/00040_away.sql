-- +goose Up
-- Times in which no sentinel looked, as this system was stopped: what fell overdue in them is told apart.
create table away (
    since timestamptz primary key,
    until timestamptz not null
);
create index finding_journey on finding (journey) where reason = 'overdue';
