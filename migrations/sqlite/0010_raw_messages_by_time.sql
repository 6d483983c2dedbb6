-- The sweep of raw messages that nobody needs any more.
CREATE INDEX raw_messages_by_time ON raw_messages (created_at);
