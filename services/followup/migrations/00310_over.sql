-- +goose Up
-- A partner's offers that are over and of which it has not said what it did with what it knew are in its list.
create index offers_over_of_partner on offer (partner, answer_by, id)
	where sent_at is not null and ended_at is not null and accepted_at is not null and deleted_at is null;
