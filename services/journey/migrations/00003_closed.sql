-- +goose Up
-- Closed journeys are listed by when they were closed, the latest first: so that one can be found and reopened.
create index journey_closed on journey (closed_at, id) where state = 'closed';
