-- What a bot was told is sent is on the disk: Telegram does not forget a message
-- either. It used not to wait for the disk, and a bot that noted "sent" only after the
-- database had died and come back had noted something that never was.

drop function sandbox.telegram_send;

-- Judges and stores one message from a bot in one round trip. A null interval means
-- that this rate is not enforced. The clock is read after the locks are held: who
-- waits for a lock is not sending early.
create function sandbox.telegram_send(
    p_bot bigint, p_chat bigint, p_text text, p_entities jsonb,
    p_photo text, p_markup jsonb, p_reply_to int, p_reply_required boolean, p_silent boolean,
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
    insert into sandbox.telegram_message
            (bot_id, chat_id, message_id, from_bot, text, entities, photo, reply_markup, reply_to, silent, sent_at)
        values (p_bot, p_chat, message_id, true, p_text, p_entities, p_photo, p_markup, p_reply_to, p_silent, instant);

    outcome := 'sent';
    reply_to := p_reply_to;
    sent_at := instant;
    first_name := chat.first_name;
    username := chat.username;
    language_code := chat.language_code;
    return next;
end
$$;
