-- +goose Up
-- What the sentinel found lately is counted for those who keep the system running.
create index finding_found on finding (found_at);
