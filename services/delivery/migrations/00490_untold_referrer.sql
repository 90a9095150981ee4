-- +goose Up
-- That a mail to an organisation that referred somebody did not come, by its log and the journey; mended_by is the mail that was taken since.
create table untold_referrer (
    partner   uuid        not null,
    journey   uuid        not null,
    since     timestamptz not null,
    mended_by uuid,
    primary key (partner, journey)
);
create index untold_referrer_now on untold_referrer (partner) where mended_by is null;
create index untold_referrer_mended on untold_referrer (mended_by) where mended_by is not null;
