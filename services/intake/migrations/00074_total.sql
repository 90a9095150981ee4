-- +goose Up
-- What a visit says is read out of JSON. A value that cannot be one is none: it must not end a statement over many.
-- +goose StatementBegin
create function uuid_of(said text) returns uuid language sql immutable as $$
    select case when said ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then said::uuid end
$$;
create function years_of(said text) returns int language sql immutable as $$
    select case when said ~ '^[0-9]{1,3}$' then said::int end
$$;
-- +goose StatementEnd
