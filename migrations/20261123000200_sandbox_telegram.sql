-- Why: without Telegram's own servers the bots still have to be tried, tested and
-- load-tested. The sandbox twin speaks Telegram's Bot API over HTTP and keeps what
-- it knows here, so that it outlives a killed process, is the same for every
-- process, and can be asked afterwards what Telegram would have seen.
-- Nothing outside the twin reads or writes these tables.

create schema if not exists sandbox;

-- A bot exists from the first call made with its token. The twin can verify a token
-- but not repeat it.
create table sandbox.telegram_bot (
    id              bigint primary key,
    token_sha256    bytea not null,
    username        text not null,
    webhook_url     text,
    webhook_secret  text,
    max_connections int not null default 40,
    -- Empty: every kind that Telegram sends unasked.
    allowed_updates text[] not null default '{}',
    last_error      text,
    last_error_at   timestamptz,
    -- The earliest instant the next message may be sent at if messages are spread
    -- evenly; how far it may lie ahead is the burst.
    next_slot       timestamptz not null default '-infinity',
    -- After "too many requests" the bot has to be silent in every chat.
    silent_since    timestamptz not null default '-infinity',
    silent_until    timestamptz not null default '-infinity',
    created_at      timestamptz not null default now()
) with (fillfactor = 50);

-- One person's private chat with one bot. It begins when the person speaks: a bot
-- cannot write to somebody who never did.
create table sandbox.telegram_chat (
    bot_id          bigint not null references sandbox.telegram_bot (id),
    chat_id         bigint not null,
    first_name      text not null,
    username        text,
    language_code   text,
    blocked         boolean not null default false,
    last_message_id int not null default 0,
    active_at       timestamptz not null default now(),
    next_slot       timestamptz not null default '-infinity',
    primary key (bot_id, chat_id)
) with (fillfactor = 70);

create table sandbox.telegram_message (
    bot_id     bigint not null,
    chat_id    bigint not null,
    message_id int not null,
    from_bot   boolean not null,
    -- As the person sees it; what was formatting is in the entities.
    text       text not null,
    entities   jsonb,
    reply_to   int,
    silent     boolean not null default false,
    -- The update that told the bot of it; null for the bot's own messages.
    update_id  bigint,
    sent_at    timestamptz not null default now(),
    primary key (bot_id, chat_id, message_id),
    foreign key (bot_id, chat_id) references sandbox.telegram_chat (bot_id, chat_id)
);

create sequence sandbox.telegram_update_id;

-- Updates on their way to the bot's webhook, and those that have arrived.
create table sandbox.telegram_delivery (
    update_id       bigint primary key,
    bot_id          bigint not null,
    chat_id         bigint not null,
    body            text not null,
    attempts        int not null default 0,
    queued_at       timestamptz not null default now(),
    next_attempt_at timestamptz not null default now(),
    delivered_at    timestamptz
);
create index telegram_delivery_waiting on sandbox.telegram_delivery (update_id) where delivered_at is null;
create index telegram_delivery_order on sandbox.telegram_delivery (bot_id, chat_id, update_id) where delivered_at is null;

-- Failures a tester has ordered, used up in the order they were made.
create table sandbox.telegram_fault (
    id               bigint generated always as identity primary key,
    -- '*': any method.
    method           text not null,
    remaining        int not null check (remaining >= 0),
    status           int,
    retry_after      int,
    hang_ms          bigint,
    accept_then_drop boolean not null default false
);

-- What a well-behaved bot never does.
create table sandbox.telegram_violation (
    id      bigint generated always as identity primary key,
    bot_id  bigint not null,
    chat_id bigint not null,
    kind    text not null check (kind in ('bot_rate', 'chat_rate', 'sent_while_silenced')),
    at      timestamptz not null default now()
);

-- Judges and stores one message from a bot in one round trip. A null interval means
-- that this rate is not enforced. The clock is read after the locks are held: who
-- waits for a lock is not sending early.
create function sandbox.telegram_send(
    p_bot bigint, p_chat bigint, p_text text, p_entities jsonb,
    p_reply_to int, p_reply_required boolean, p_silent boolean,
    p_bot_interval interval, p_bot_burst int, p_chat_interval interval, p_chat_burst int
) returns table (
    outcome text, message_id int, reply_to int, sent_at timestamptz, retry_after int,
    first_name text, username text, language_code text
) language plpgsql as $$
declare
    -- Two messages sent a full interval apart may arrive a little closer.
    jitter constant interval := interval '50 milliseconds';
    bot sandbox.telegram_bot;
    chat sandbox.telegram_chat;
    instant timestamptz;
    free_at timestamptz;
begin
    -- No wait for the disk: whoever acts on the answer writes to the same log, so what
    -- is durably acted on is durable here.
    perform set_config('synchronous_commit', 'off', true);

    select * into chat from sandbox.telegram_chat c where c.bot_id = p_bot and c.chat_id = p_chat;
    if not found then
        outcome := 'unknown_chat'; return next; return;
    end if;
    if chat.blocked then
        outcome := 'blocked'; return next; return;
    end if;
    if p_reply_to is not null and not exists (
        select from sandbox.telegram_message m
        where m.bot_id = p_bot and m.chat_id = p_chat and m.message_id = p_reply_to
    ) then
        if p_reply_required then
            outcome := 'unknown_reply'; return next; return;
        end if;
        p_reply_to := null;
    end if;

    if p_bot_interval is null then
        select * into bot from sandbox.telegram_bot b where b.id = p_bot;
    else
        select * into bot from sandbox.telegram_bot b where b.id = p_bot for no key update;
    end if;
    select * into chat from sandbox.telegram_chat c
        where c.bot_id = p_bot and c.chat_id = p_chat for no key update;
    instant := clock_timestamp();
    outcome := 'too_many';

    if bot.silent_until > instant then
        -- What was already on its way when the silence began is refused but no offence.
        if bot.silent_since + interval '100 milliseconds' < instant then
            insert into sandbox.telegram_violation (bot_id, chat_id, kind)
                values (p_bot, p_chat, 'sent_while_silenced');
        end if;
        retry_after := ceil(extract(epoch from bot.silent_until - instant));
        return next; return;
    end if;

    if p_chat_interval is not null then
        free_at := chat.next_slot - p_chat_interval * (p_chat_burst - 1);
        if free_at - jitter > instant then
            insert into sandbox.telegram_violation (bot_id, chat_id, kind)
                values (p_bot, p_chat, 'chat_rate');
            retry_after := greatest(1, ceil(extract(epoch from free_at - instant)));
            return next; return;
        end if;
    end if;

    if p_bot_interval is not null then
        free_at := bot.next_slot - p_bot_interval * (p_bot_burst - 1);
        if free_at - jitter > instant then
            insert into sandbox.telegram_violation (bot_id, chat_id, kind)
                values (p_bot, p_chat, 'bot_rate');
            retry_after := greatest(1, ceil(extract(epoch from free_at - instant)));
            update sandbox.telegram_bot b
                set silent_since = instant, silent_until = instant + make_interval(secs => retry_after)
                where b.id = p_bot;
            return next; return;
        end if;
        update sandbox.telegram_bot b
            set next_slot = greatest(b.next_slot, instant) + p_bot_interval where b.id = p_bot;
    end if;

    update sandbox.telegram_chat c
        set last_message_id = c.last_message_id + 1,
            active_at = instant,
            next_slot = greatest(c.next_slot, instant) + coalesce(p_chat_interval, interval '0')
        where c.bot_id = p_bot and c.chat_id = p_chat
        returning c.last_message_id into message_id;
    insert into sandbox.telegram_message (bot_id, chat_id, message_id, from_bot, text, entities, reply_to, silent, sent_at)
        values (p_bot, p_chat, message_id, true, p_text, p_entities, p_reply_to, p_silent, instant);

    outcome := 'sent';
    reply_to := p_reply_to;
    sent_at := instant;
    first_name := chat.first_name;
    username := chat.username;
    language_code := chat.language_code;
    return next;
end
$$;
