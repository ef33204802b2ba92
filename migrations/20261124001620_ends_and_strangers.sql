-- A repair removes those of whom nothing is known only when it is asked to.
alter table drift_runs add column strangers boolean not null default false;

-- Since when it is known that access ends when it does: a reminder that would have been
-- due before that is none. Null where that was not kept: since the subscription is known.
alter table read_models.subscriptions add column ends_since timestamptz;
