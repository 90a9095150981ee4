-- What the owner does on behalf of the service's login, which may make and drop nothing itself. Run anew with each
-- change of rights; "footbridge" stands for the schema.

-- Makes the partition of a day of a table that is partitioned by UUIDv7: table_20261120. A day is one of UTC. The table
-- of the day is made by itself and attached: unlike CREATE TABLE ... PARTITION OF, that does not shut out those who
-- read and write other days. Who comes second waits for the first at the lock, and finds it there.
create or replace function make_day(parent text, day date) returns void language plpgsql
security definer set search_path = footbridge, pg_temp set lock_timeout = '2s' as $$
declare
    part text := parent || '_' || to_char(day, 'YYYYMMDD');
begin
    execute format('lock table only %I in share update exclusive mode', parent);
    if not exists (select from pg_inherits where inhparent = format('%I', parent)::regclass and inhrelid = to_regclass(format('%I', part))) then
        execute format('create table %I (like %I including all excluding statistics)', part, parent);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, part, day_floor(day), day_floor(day + 1));
    end if;
end
$$;

-- The smallest UUIDv7 of a day.
create or replace function day_floor(day date) returns uuid language sql immutable as $$
    select (lpad(to_hex((extract(epoch from day::timestamp) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Drops a day, unless something of it is not settled: a table says by a function <table>_settled(low, high) whether
-- all between the two ids may go, whatever the clock says. A table without one keeps everything. Nor does a young day go,
-- whatever its caller takes for today: of fewer days than <table>_least_days() says, or seven, by this server's own clock.
create or replace function drop_day(parent text, day date) returns void language plpgsql
security definer set search_path = footbridge, pg_temp set lock_timeout = '2s' as $$
declare
    part text := parent || '_' || to_char(day, 'YYYYMMDD');
    settled boolean;
    least int := 7;
begin
    if not exists (select from pg_inherits where inhparent = format('%I', parent)::regclass and inhrelid = to_regclass(format('%I', part))) then
        return;
    end if;
    if to_regprocedure(format('%I()', parent || '_least_days')) is not null then
        execute format('select %I()', parent || '_least_days') into least;
    end if;
    if day > (clock_timestamp() at time zone 'UTC')::date - least then
        raise exception 'what table % holds of % is younger than % days by this server''s clock and stays', parent, day, least using errcode = 'FB002';
    end if;
    execute format('lock table only %I, %I in access exclusive mode', parent, part); -- nothing is added meanwhile
    if to_regprocedure(format('%I(uuid, uuid)', parent || '_settled')) is not null then
        execute format('select %I($1, $2)', parent || '_settled') into settled using day_floor(day), day_floor(day + 1);
    end if;
    if settled is not true then
        raise exception 'what table % holds of % is not settled and stays', parent, day using errcode = 'FB002';
    end if;
    execute format('drop table %I', part);
end
$$;
