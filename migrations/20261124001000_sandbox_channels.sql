-- Why: access to a paid channel is given and taken by the bot. The sandbox gets channels
-- with members, invite links and requests to join, in which a bot is an administrator
-- whose rights can be taken away.

-- People as they are known outside their chats with bots: who joins a channel may never
-- have written to one.
create table sandbox.telegram_person (
    user_id       bigint primary key,
    first_name    text not null,
    username      text,
    language_code text
);

create table sandbox.telegram_channel (
    -- Below zero, as all that are no private chats.
    chat_id    bigint primary key check (chat_id < 0),
    kind       text not null check (kind in ('channel', 'supergroup')),
    title      text not null,
    owner_id   bigint not null references sandbox.telegram_person (user_id),
    -- Grows with every change.
    revision   bigint not null default 0,
    created_at timestamptz not null default now()
);

-- How bots stand in channels. A bot can be put into one before its first call.
create table sandbox.telegram_channel_bot (
    chat_id              bigint not null references sandbox.telegram_channel (chat_id),
    bot_id               bigint not null,
    status               text not null check (status in ('administrator', 'left', 'kicked')),
    can_invite_users     boolean not null default true,
    can_restrict_members boolean not null default true,
    can_post_messages    boolean not null default true,
    primary key (chat_id, bot_id)
);

create table sandbox.telegram_invite_link (
    link                 text primary key,
    chat_id              bigint not null references sandbox.telegram_channel (chat_id),
    -- The bot that made it; null: the owner, whose link is the primary one.
    bot_id               bigint,
    name                 text,
    expires_at           timestamptz,
    -- How many can be in the channel by it at the same time.
    member_limit         int,
    creates_join_request boolean not null default false,
    revoked              boolean not null default false,
    created_at           timestamptz not null default now(),
    check (not (creates_join_request and member_limit is not null))
);
create index telegram_invite_link_of_channel on sandbox.telegram_invite_link (chat_id, created_at);

-- Nobody has a row who never was in the channel and never was banned.
create table sandbox.telegram_channel_member (
    chat_id  bigint not null references sandbox.telegram_channel (chat_id),
    user_id  bigint not null references sandbox.telegram_person (user_id),
    status   text not null check (status in ('creator', 'member', 'left', 'kicked')),
    -- When a ban ends; null: never.
    until_at timestamptz,
    -- What they came in by, if by a link.
    link     text references sandbox.telegram_invite_link (link),
    since    timestamptz not null default now(),
    primary key (chat_id, user_id)
);

-- Those that wait for an answer.
create table sandbox.telegram_join_request (
    chat_id  bigint not null references sandbox.telegram_channel (chat_id),
    user_id  bigint not null references sandbox.telegram_person (user_id),
    link     text not null references sandbox.telegram_invite_link (link),
    bio      text,
    asked_at timestamptz not null default now(),
    primary key (chat_id, user_id)
);

-- Refusals in words of the tester's choice.
alter table sandbox.telegram_fault
    add column description        text,
    add column migrate_to_chat_id bigint;
