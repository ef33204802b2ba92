-- Why: the bot sends pictures of its own making and buttons that report to it. The
-- sandbox takes pictures that are uploaded, lets messages be edited, lets people press
-- buttons, and holds the bot to answering each press once.

-- Pictures that bots uploaded. The name is made of the bot and the bytes, so the same
-- picture is kept once and no bot has another's.
create table sandbox.telegram_picture (
    file_id    text primary key,
    bot_id     bigint not null references sandbox.telegram_bot (id),
    media_type text not null,
    width      int not null,
    height     int not null,
    bytes      bytea not null,
    created_at timestamptz not null default now()
);
-- Compressed already.
alter table sandbox.telegram_picture alter column bytes set storage external;

-- Grows when something becomes of what was said before: an edit, a press, its answer.
alter table sandbox.telegram_chat add column revision bigint not null default 0;

alter table sandbox.telegram_message add column edited_at timestamptz;

create table sandbox.telegram_press (
    -- Nobody shall take it for the number of anything else.
    id          bigint generated always as identity (start with 4100000000000000001) primary key,
    bot_id      bigint not null,
    chat_id     bigint not null,
    message_id  int not null,
    data        text not null,
    -- The update that told the bot of it; null if it does not want to know of presses.
    update_id   bigint,
    pressed_at  timestamptz not null default now(),
    answered_at timestamptz,
    -- What the person got to see when it was answered.
    notice      text,
    alert       boolean not null default false,
    foreign key (bot_id, chat_id, message_id)
        references sandbox.telegram_message (bot_id, chat_id, message_id)
);
create index telegram_press_of_message on sandbox.telegram_press (bot_id, chat_id, message_id);

-- The menus of commands, for each scope and language.
create table sandbox.telegram_commands (
    bot_id   bigint not null references sandbox.telegram_bot (id),
    -- 'default', 'all_private_chats' …, or 'chat:' and its number.
    scope    text not null,
    -- Two letters; empty: for everybody who has no menu in their own language.
    language text not null,
    commands jsonb not null,
    primary key (bot_id, scope, language)
);

-- Judges and stores one edit by a bot in one round trip. Without p_text only the buttons
-- are changed. A bot that has to be silent does not edit either.
create function sandbox.telegram_edit(
    p_bot bigint, p_chat bigint, p_message int, p_text text, p_entities jsonb, p_markup jsonb
) returns table (
    outcome text, retry_after int, sent_at timestamptz, edited_at timestamptz, text text, entities jsonb, photo text,
    first_name text, username text
) language plpgsql as $$
declare
    bot sandbox.telegram_bot;
    chat sandbox.telegram_chat;
    message sandbox.telegram_message;
    instant timestamptz;
begin
    select * into chat from sandbox.telegram_chat c
        where c.bot_id = p_bot and c.chat_id = p_chat for no key update;
    if not found then
        outcome := 'unknown_chat'; return next; return;
    end if;
    if chat.blocked then
        outcome := 'blocked'; return next; return;
    end if;
    select * into bot from sandbox.telegram_bot b where b.id = p_bot;
    instant := clock_timestamp();
    if bot.silent_until > instant then
        outcome := 'too_many';
        retry_after := ceil(extract(epoch from bot.silent_until - instant));
        return next; return;
    end if;
    select * into message from sandbox.telegram_message m
        where m.bot_id = p_bot and m.chat_id = p_chat and m.message_id = p_message;
    outcome := case
        when not found then 'unknown_message'
        when not message.from_bot then 'not_its_own'
        when p_text is not null and message.photo is not null then 'no_text'
        when message.reply_markup is not distinct from p_markup
             and (p_text is null or message.text = p_text and message.entities is not distinct from p_entities)
            then 'unchanged'
        else 'edited'
    end;
    if outcome <> 'edited' then
        return next; return;
    end if;
    update sandbox.telegram_message m
        set text = coalesce(p_text, m.text),
            entities = case when p_text is null then m.entities else p_entities end,
            reply_markup = p_markup,
            edited_at = instant
        where m.bot_id = p_bot and m.chat_id = p_chat and m.message_id = p_message
        returning m.sent_at, m.edited_at, m.text, m.entities, m.photo
        into sent_at, edited_at, text, entities, photo;
    update sandbox.telegram_chat c set revision = c.revision + 1
        where c.bot_id = p_bot and c.chat_id = p_chat;
    first_name := chat.first_name;
    username := chat.username;
    return next;
end
$$;
