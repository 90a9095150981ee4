-- +goose Up
-- Who has taken a step on, by name as signed in: their own open steps are a stretch of an index, by the time promised. And
-- what was opened since somebody last looked is the end of another, however many are stored.
alter table step add column taken_by text not null default '';
update step s set taken_by = h.done_by from (select distinct on (step) step, done_by from hand where what = 'taken-on' order by step, at desc) h
    where h.step = s.id and s.state = 'open';
create index step_taken on step (organisation, taken_by, due_at, id) where state = 'open' and taken_by <> '';
create index step_opened on step (organisation, opened_at) where state = 'open';
