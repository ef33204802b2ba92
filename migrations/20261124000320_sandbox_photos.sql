-- What a bot's message in the sandbox can have beside its text.

alter table sandbox.telegram_message
    -- The address or file_id it was sent with.
    add column photo        text,
    -- Buttons, as they were sent.
    add column reply_markup jsonb;
