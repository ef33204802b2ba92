-- Catching up with Stripe after an outage, and finding what came of its events.

-- Events that wait, and those that came to something: neither is found by reading all there were.
create index stripe_events_waiting on stripe_events (position) where worked_at is null;
create index stripe_events_outcome on stripe_events (outcome collate "C", position);

-- By what an invoice was paid (ch_… or pi_…), where Stripe cannot be asked: a dispute names nothing else.
create table stripe_payments (
    payment text primary key,
    invoice text not null
);

-- How far the first import is, so that one that was broken off goes on where it was.
create table stripe_import (
    -- subscriptions or invoices.
    list       text primary key,
    -- When it began: what happened since then is told by events.
    began_at   timestamptz not null,
    -- The last object that was taken in; the next page begins after it.
    after_id   text,
    taken      bigint not null default 0,
    unreadable bigint not null default 0,
    -- None while it is under way.
    done_at    timestamptz
);

-- What was paid and went back in some months, without reading all there ever was.
create index on read_models.revenue_refunds (refunded_at);
create index on read_models.revenue_disputes (lost_at);

-- When the invoice of an attempt that failed was paid: what could not be collected yet is found by it.
alter table read_models.revenue_failures add paid_at timestamptz;
update read_models.revenue_failures f set paid_at = p.paid_at
  from read_models.revenue_payments p where p.invoice = f.invoice;
create index on read_models.revenue_failures (paid_at);

-- Where the bot lost its rights: when the next job looks whether they are there again. None where it did not.
alter table channel_rights add look_at timestamptz;
