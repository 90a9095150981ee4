-- +goose Up
-- What was last said of a fact is a number (FactSaid): fourteen facts with two times each were half of what is known of a
-- journey, and what is longer than 2 KB is compressed each time it is written.
update journey set known = jsonb_set(known, '{facts}', (
        select jsonb_object_agg(key, case when (value ->> 'yes')::boolean then (value ->> 'at')::bigint else -(value ->> 'at')::bigint end)
        from jsonb_each(known -> 'facts')))
    where known -> 'facts' <> '{}';
-- +goose StatementBegin
do $$ begin
    alter table journey alter column known set compression lz4;
exception when feature_not_supported then null;
end $$;
-- +goose StatementEnd
