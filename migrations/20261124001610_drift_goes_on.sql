-- A comparison that is broken off goes on where it was, and one that is given up says why.
alter table drift_runs add column progress jsonb, add column failure text;

-- Strangers who followed somebody else's link, of whom the subscriber was told. The link itself is a secret.
create table link_misuses (
    subscription uuid not null,
    link bytea not null,
    person uuid not null,
    primary key (subscription, link, person)
);
