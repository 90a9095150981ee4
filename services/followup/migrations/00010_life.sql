-- +goose Up
-- Partners as rows that people change, with effect at once. The configuration seeds a row and says which are listed;
-- what is changed over HTTP stands. Days are local and inclusive; 0 places is no bound; an empty list is not said.
alter table partner
    add column listed          boolean  not null default true,
    add column agreement_from  date,
    add column agreement_until date,
    add column weekly          integer  not null default 0 check (weekly >= 0),
    add column at_most         integer  not null default 0 check (at_most >= 0),
    add column away            date[]   not null default '{}', -- first and last day, first and last day
    add column paused_until    date,
    add column channels        text[]   not null default '{}',
    add column languages       text[]   not null default '{}',
    add column worker_genders  text[]   not null default '{}',
    add column outward_name    text     not null default '',
    add column safeguarding    text     not null default '',
    add column version         bigint   not null default 1,
    add constraint agreement_has_two_ends check ((agreement_from is null) = (agreement_until is null)),
    add constraint away_in_pairs check (array_length(away, 1) is null or array_length(away, 1) % 2 = 0);

-- An offer from prepared to its end. placed_at is when a place of the partner's was taken for it, under the partner's
-- lock; place_week the Monday of that week. due_at is when time alone changes something, null where nothing does.
-- answered_upto is up to which answer of the person was known when it was released without one.
alter table offer
    add column placed_at     timestamptz,
    add column place_week    date,
    add column sent_at       timestamptz,
    add column accepted_at   timestamptz,
    add column yes_by        timestamptz,
    add column book_by       timestamptz,
    add column nudged        text     not null default '',
    add column not_kept      integer  not null default 0,
    add column paused        boolean  not null default false,
    add column late_yes      boolean  not null default false,
    add column answered_upto bigint   not null default 0,
    add column deleted_at    timestamptz,
    add column kept_because  text     not null default '',
    add column due_at        timestamptz;
alter table offer drop constraint offer_state_check;
alter table offer add constraint offer_state_check check (state in ('raised', 'sent', 'acknowledged', 'accepted', 'waiting', 'booked', 'kept',
    'not-kept', 'declined', 'passed-on', 'withdrawn', 'handed-back', 'completed'));
alter table offer drop constraint offer_check1;
alter table offer add constraint offer_stands_or_has_ended check ((ended_at is null) =
    (state in ('raised', 'sent', 'acknowledged', 'accepted', 'waiting', 'booked', 'kept', 'not-kept')));
alter table offer add constraint told_only_with_a_place check (placed_at is not null or state in ('raised', 'withdrawn'));

create index offer_of_journey on offer (journey);
create index offer_is_due on offer (due_at) where due_at is not null and ended_at is null;
create index offer_of_partner on offer (partner, raised_at) where placed_at is not null;
create index offer_has_a_place on offer (partner) where placed_at is not null and ended_at is null;
create index offer_placed_in on offer (place_week) where placed_at is not null;
create index offer_of_organisation on offer (organisation, raised_at) where ended_at is null;

alter table journey_state drop constraint journey_state_status_check;
alter table journey_state add constraint journey_state_status_check
    check (status in ('waiting', 'offered', 'exhausted', 'paused', 'refused', 'closed', 'completed'));

-- A session with a time. What has happened is never rewritten: a changed time is another row.
create table appointment (
    id         uuid        primary key,
    offer      uuid        not null references offer (id),
    journey    uuid        not null,
    starts_at  timestamptz not null,
    on_day     date        not null,
    channel    text        not null,
    minutes    integer     not null check (minutes between 1 and 120),
    state      text        not null check (state in ('booked', 'kept', 'not-kept', 'cancelled')),
    booked_at  timestamptz not null,
    ended_at   timestamptz,
    check ((ended_at is null) = (state = 'booked'))
);
create unique index one_appointment_at_a_time on appointment (offer) where state = 'booked';

-- A partner's coded question about an offer, and a navigator's coded answer.
create table offer_question (
    id          uuid        primary key,
    offer       uuid        not null references offer (id),
    about       text        not null,
    asked_at    timestamptz not null,
    reply       text        not null,
    answered_at timestamptz
);
create index question_of_offer on offer_question (offer, asked_at);

-- Outward sending for an organisation: off until two named people have turned it on.
create table live (
    organisation   text        primary key,
    safety_officer text        not null,
    hazard_log     text        not null,
    dpia           text        not null,
    caldicott      text        not null,
    asked_by       text        not null,
    asked_at       timestamptz not null,
    confirmed_by   text        not null,
    confirmed_at   timestamptz,
    check (confirmed_by <> asked_by)
);
