-- +goose Up
-- Dead letters in the order of their journeys, as the sentinel reads them in slices.
create index letter_dead_journey on letter (journey) where state = 'dead';
