-- Why: what happens to signals is posted in a channel, each event once. Telegram knows no
-- idempotency key, so what is about to be posted is written down before, with its text, and
-- what became of it after; whoever finds a post on its way looks in the channel whether it
-- arrived (record 0021).

create table signal_posts (
    channel    bigint not null,
    -- Of the event in the log. 0: the introduction, whose number all later ones are counted from.
    position   bigint not null,
    -- The signal's; null for what is about no single one.
    number     int,
    kind       text not null,
    state      text not null check (state in ('due', 'sending', 'sent', 'unconfirmed')),
    -- As it was, or is to be, posted: a text is made once, whoever makes it.
    text       text not null,
    -- What it replies to, if that was posted.
    reply_to   int,
    silent     boolean not null default false,
    -- Telegram's number for it in the channel.
    message_id int,
    attempts   int not null default 0,
    sending_at timestamptz,
    -- When the call of that attempt was known to be over, without an answer to rely on.
    doubted_at timestamptz,
    sent_at    timestamptz,
    primary key (channel, position),
    check ((state = 'sent') = (message_id is not null))
);
-- The post that opened a signal, for replies to it.
create unique index signal_posts_opening on signal_posts (channel, number) where kind = 'opening';
-- The last number known, which a post in doubt is looked for behind.
create index signal_posts_last on signal_posts (channel, message_id) where state = 'sent';

-- The sandbox: posts in channels.

alter table sandbox.telegram_channel
    add column last_message_id int not null default 0,
    add column next_slot timestamptz not null default '-infinity';
-- The right to edit what others posted; bots can always edit their own.
alter table sandbox.telegram_channel_bot
    add column can_edit_messages boolean not null default false;

create table sandbox.telegram_post (
    chat_id      bigint not null references sandbox.telegram_channel (chat_id),
    message_id   int not null,
    -- Null: the owner's.
    bot_id       bigint,
    -- Of a photo, its caption.
    text         text not null,
    entities     jsonb,
    photo        text,
    reply_markup jsonb,
    reply_to     int,
    silent       boolean not null default false,
    -- Whether it can be forwarded and saved.
    protected    boolean not null default false,
    deleted      boolean not null default false,
    sent_at      timestamptz not null,
    edited_at    timestamptz,
    primary key (chat_id, message_id)
);

-- Judges and stores one post of a bot; the caller holds the channel's row and has looked at
-- its rights. A null interval means that this rate is not enforced.
create function sandbox.telegram_post(
    p_bot bigint, p_chat bigint, p_text text, p_entities jsonb,
    p_photo text, p_markup jsonb, p_reply_to int, p_reply_required boolean, p_silent boolean, p_protected boolean,
    p_bot_interval interval, p_bot_burst int, p_chat_interval interval, p_chat_burst int
) returns table (outcome text, message_id int, sent_at timestamptz, retry_after int)
language plpgsql as $$
declare
    -- Two messages sent a full interval apart may arrive a little closer.
    jitter constant interval := interval '50 milliseconds';
    bot sandbox.telegram_bot;
    channel sandbox.telegram_channel;
    instant timestamptz;
    free_at timestamptz;
begin
    if p_reply_to is not null and not exists (
        select from sandbox.telegram_post p
        where p.chat_id = p_chat and p.message_id = p_reply_to and not p.deleted
    ) then
        if p_reply_required then
            outcome := 'unknown_reply'; return next; return;
        end if;
        p_reply_to := null;
    end if;
    select * into bot from sandbox.telegram_bot b where b.id = p_bot for no key update;
    select * into channel from sandbox.telegram_channel c where c.chat_id = p_chat;
    instant := clock_timestamp();
    outcome := 'too_many';
    if p_chat_interval is not null then
        free_at := channel.next_slot - p_chat_interval * (p_chat_burst - 1);
        if free_at - jitter > instant then
            insert into sandbox.telegram_violation (bot_id, chat_id, kind) values (p_bot, p_chat, 'chat_rate');
            retry_after := greatest(1, ceil(extract(epoch from free_at - instant)));
            return next; return;
        end if;
    end if;
    if p_bot_interval is not null then
        free_at := bot.next_slot - p_bot_interval * (p_bot_burst - 1);
        if free_at - jitter > instant then
            insert into sandbox.telegram_violation (bot_id, chat_id, kind) values (p_bot, p_chat, 'bot_rate');
            retry_after := greatest(1, ceil(extract(epoch from free_at - instant)));
            return next; return;
        end if;
        update sandbox.telegram_bot b
            set next_slot = greatest(b.next_slot, instant) + p_bot_interval where b.id = p_bot;
    end if;
    update sandbox.telegram_channel c
        set last_message_id = c.last_message_id + 1,
            next_slot = greatest(c.next_slot, instant) + coalesce(p_chat_interval, interval '0')
        where c.chat_id = p_chat
        returning c.last_message_id into message_id;
    insert into sandbox.telegram_post
            (chat_id, message_id, bot_id, text, entities, photo, reply_markup, reply_to, silent, protected, sent_at)
        values (p_chat, message_id, p_bot, p_text, p_entities, p_photo, p_markup, p_reply_to, p_silent, p_protected,
                instant);
    outcome := 'sent';
    sent_at := instant;
    return next;
end
$$;
