-- Why: signals are listed by how they ended, whose they were, when in the day they were
-- opened and which way they went. Of what is rare, such as those that were closed because
-- their case no longer held, a page was looked for in all of them.

create index on read_models.signals (exit, number);
create index on read_models.signals (strategy, number);
create index on read_models.signals (session, number);
create index on read_models.signals (direction, number);
