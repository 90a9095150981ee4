-- +goose Up
-- What is agreed about calls is part of what is known of a journey (rules.Known); a plan's row holds what lists go by.
-- anchor is the local day that its rhythm counts from, team the organisation whose callers ring.
alter table plan
    add column monthly boolean not null default false,
    add column anchor  date,
    add column team    text    not null default '',
    add column look_at timestamptz;
create index plan_look on plan (look_at) where look_at is not null;

-- nominal is the day that the rhythm gives, on_day the one it is planned for; act_at is when something is to be done about
-- the call next (a reminder, or that it is late), sequence rises with each change of its time. Whoever holds the claim rings.
alter table call drop constraint call_state_check;
alter table call
    add constraint call_state_check check (state in ('scheduled', 'cancelled', 'reached', 'unanswered', 'someone-else-answered', 'wrong-number',
        'asked-to-stop', 'help-needed-now', 'not-made')),
    add column nominal     date,
    add column try         integer     not null default 1,
    add column team        text        not null default '',
    add column sequence    integer     not null default 0,
    add column reminded    integer     not null default 0,
    add column late        boolean     not null default false,
    add column act_at      timestamptz,
    add column caller      text        not null default '',
    add column claim_of    text        not null default '',
    add column claim_mark  text        not null default '',
    add column claim_until timestamptz;
create index call_act on call (act_at) where act_at is not null;
create index call_team on call (team, due_at) where ended_at is null;
create index call_journey on call (journey);
