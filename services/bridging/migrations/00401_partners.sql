-- +goose Up
-- What is known of partners that may ring: their agreement, pause and holidays (first and last days, in turn), and for whom
-- outward sending is on; said is the sequence of the event that said it. One that is not here rings nobody.
create table partner (
    id         uuid    primary key,
    said       bigint  not null,
    first_day  date,
    last_day   date,
    paused     date,
    away       date[]  not null,
    live       text[]  not null,
    invented   boolean not null
);

-- Whose callers are those of somebody else than the journey's own organisation; and plans for which nobody may ring.
create index plan_team on plan (team) where ended_at is null and team <> organisation;
create index plan_nobody on plan (journey) where ended_at is null and because = 'nobody-rings';

-- Whether an organisation may ring, or be told of calls, on a day: any but a partner without an agreement in force.
-- +goose StatementBegin
create function may_ring(team text, today date) returns boolean language sql stable as $$
    select team !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        or exists (select from partner where id::text = team and today between first_day and last_day)
$$;
-- +goose StatementEnd
