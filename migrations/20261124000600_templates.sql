-- Templates of cards, and which campaign has which.

create table read_models.templates (
    id          uuid primary key,
    name        text not null,
    -- The picture's key in the object storage, and what it is.
    object      text not null,
    media_type  text not null,
    width       integer not null,
    height      integer not null,
    bytes       integer not null,
    -- As in the event: what is written where.
    layout      json not null,
    archived_at timestamptz,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    -- Of the stream: the ETag.
    version     bigint not null
);
create index on read_models.templates (created_at, id);

-- None: our ticket.
alter table read_models.campaigns add column template uuid;
