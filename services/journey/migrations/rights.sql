-- What journey's login may do. What was said and decided is only ever added to.
grant select, insert, update on journey to login;
grant select, insert on timeline_entry, turn, finding, hand to login;
grant update (found_at, step) on finding to login;
grant select, insert on step to login;
grant update (organisation, owner, added_owners, overdue_level, look_at, acknowledged_at, taken_by, void_found_at, line, opened_in, came_in, state, closed_at, closed_by) on step to login;
grant select on sentinel_lease to login;
grant update (holder, until, looked_at) on sentinel_lease to login;
grant select, insert on away, retold to login;
-- Which steps an owner was added to follows from the steps.
grant select, insert, delete on added_owner to login;
