-- +goose Up
-- secret and former are sealed under key, which is wrapped by the key that wraps keys (delivery.kek): whoever reads the database, or a
-- backup of it, can sign nothing. Endpoints from before end, as what they were signed with stood here: they are added again.
alter table subscription add column key bytea not null default '';
update subscription set state = 'ended', because = 'secrets-are-sealed-now', secret = '', former = null where state <> 'ended';
