-- Who may call the API. Credentials are not events: the log is for ever, and a
-- password's hash should not be.

create table admins (
    name          text primary key check (name ~ '^[a-z0-9._-]{1,64}$'),
    password_hash text not null,
    -- Tokens issued before this are refused.
    valid_from    timestamptz not null default now(),
    created_at    timestamptz not null default now(),
    last_login_at timestamptz
);

create table api_keys (
    id           uuid primary key,
    name         text not null unique,
    -- SHA-256 of the key: it is random and long, so it needs no slow hash.
    key_hash     bytea not null unique,
    -- The first characters, to recognise it by.
    hint         text not null,
    scopes       text[] not null,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

-- Failed logins, by who tried: kept here so that a restart does not forget them.
create table login_failures (
    subject     text not null,
    failed_at   timestamptz not null default now()
);
create index on login_failures (subject, failed_at);
