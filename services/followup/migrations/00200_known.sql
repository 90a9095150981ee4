-- +goose Up
-- may_know is who is to see to the person where somebody at the partner may know them; kept is what a partner kept of what
-- it knew, as codes with spaces between.
alter table offer
    add column may_know text not null default '',
    add column kept     text not null default '';
