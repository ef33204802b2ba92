-- Broadcasts: what is seen of them, and the work to be done.

create table read_models.broadcasts (
    id           uuid primary key,
    status       text not null,
    -- As in the event: what is sent, and to whom.
    letter       json not null,
    send_at      timestamptz,
    recipients   integer,
    created_at   timestamptz not null,
    updated_at   timestamptz not null,
    started_at   timestamptz,
    finished_at  timestamptz,
    -- Of the stream: the ETag.
    version      bigint not null
);
create index on read_models.broadcasts (created_at, id);
create index on read_models.broadcasts (status, created_at, id);

-- A broadcast whose audience is fixed. Not a read model: what is here cannot be
-- made again from the log.
create table broadcast_runs (
    broadcast   uuid primary key,
    -- Orders to send to the unconfirmed again that were carried out.
    resends     integer not null default 0,
    fixed_at    timestamptz not null default now(),
    -- Nobody looks at it any more.
    finished_at timestamptz
);
create index on broadcast_runs (fixed_at) where finished_at is null;

-- One person's part in a broadcast.
create table broadcast_recipients (
    id            bigint generated always as identity primary key,
    broadcast     uuid not null references broadcast_runs,
    person        uuid not null,
    chat_id       bigint not null,
    -- pending: not sent. sending: on its way, or a process died with it. sent:
    -- confirmed. failed: Telegram would not take it. gone: out of reach.
    -- unconfirmed: it may have arrived.
    state         text not null default 'pending'
                  check (state in ('pending', 'sending', 'sent', 'failed', 'gone', 'unconfirmed')),
    tries         integer not null default 0,
    not_before    timestamptz not null default '-infinity',
    -- The lease: whoever holds it extends it, and when it dies the lease runs out.
    claimed_by    uuid,
    claimed_until timestamptz,
    message_id    integer,
    last_error    text,
    changed_at    timestamptz not null default now(),
    unique (broadcast, person)
) with (fillfactor = 70);
create index on broadcast_recipients (broadcast, id) where state = 'pending';
create index on broadcast_recipients (claimed_until) where state = 'sending';
create index on broadcast_recipients (broadcast, state, id);

-- Takes a slot that nobody else wants. Under the limits that all messages keep
-- (`keys` as in take_slot), but only if it is free now: slots ahead are for
-- replies. And only if no job of these kinds is due, or about to be: it would
-- want the slot.
-- Answers how many seconds to wait for the bot and for the chat; the slot is
-- taken when both are zero. `spacing` is that of all messages, of the chat, and of broadcasts,
-- which is longer than that of all messages, so that there is always room.
create function take_spare_slot(
    bot text, chat text, spare text, spacing double precision[], replies text[],
    out bot_wait double precision, out chat_wait double precision
) language plpgsql as $$
declare
    started timestamptz;
begin
    bot_wait := 0;
    chat_wait := 0;
    if exists (
        select from jobs
         where kind = any (replies) and dead_at is null and not blocked
           and run_at <= now() + interval '250 milliseconds'
           and (locked_until is null or locked_until < now()) and attempts < max_attempts
    ) then
        bot_wait := spacing[1];
        return;
    end if;
    insert into rate_slots select k, '-infinity' from unnest(array[bot, chat, spare]) k order by k
        on conflict do nothing;
    perform from rate_slots where key in (bot, chat, spare) order by key for update;
    started := clock_timestamp();
    select greatest(0, coalesce(max(extract(epoch from next_at - started)), 0)) into bot_wait
      from rate_slots where key in (bot, spare) and next_at > started;
    select greatest(0, coalesce(max(extract(epoch from next_at - started)), 0)) into chat_wait
      from rate_slots where key = chat and next_at > started;
    if bot_wait = 0 and chat_wait = 0 then
        update rate_slots s set next_at = started + l.spacing * interval '1 second'
          from unnest(array[bot, chat, spare], spacing) as l (key, spacing) where s.key = l.key;
    end if;
end $$;
