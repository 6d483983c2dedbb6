-- FIFO topics, archives and their replays, and fan-outs that are under way.

-- 0 while older messages are replayed, and after a replay that has an end: nothing new is delivered then.
ALTER TABLE subscriptions ADD COLUMN live BIGINT NOT NULL DEFAULT 1;
-- 1 while a replay is under way.
ALTER TABLE subscriptions ADD COLUMN replaying BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN replay_status TEXT;
-- Names one replay; another one has another.
ALTER TABLE subscriptions ADD COLUMN replay_id TEXT NOT NULL DEFAULT '';
-- The row of the archive up to which messages were replayed.
ALTER TABLE subscriptions ADD COLUMN replay_after BIGINT NOT NULL DEFAULT 0;
CREATE INDEX subscriptions_replaying ON subscriptions (id) WHERE replaying = 1;

-- What keeps the messages of a group in order where several nodes publish: who publishes takes the row.
CREATE TABLE topic_groups (
    topic_id BIGINT NOT NULL,
    group_id TEXT NOT NULL,
    used_at BIGINT NOT NULL,
    PRIMARY KEY (topic_id, group_id)
) WITHOUT ROWID;
CREATE INDEX topic_groups_by_age ON topic_groups (used_at);

-- What was published to FIFO topics in the last minutes. Its own number is the message's sequence number.
CREATE TABLE topic_deduplications (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id BIGINT NOT NULL,
    group_id TEXT NOT NULL,             -- empty where the whole topic is the scope
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    UNIQUE (topic_id, group_id, deduplication_id)
);
CREATE INDEX topic_deduplications_by_expiry ON topic_deduplications (expires_at);

-- Messages of topics with an ArchivePolicy, in the order in which they were published.
CREATE TABLE topic_archive (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    content TEXT NOT NULL               -- JSON of the message
);
CREATE INDEX topic_archive_in_order ON topic_archive (topic_id, id);
CREATE INDEX topic_archive_by_time ON topic_archive (topic_id, published_at);

-- Messages that are on their way to the many subscriptions of a topic.
CREATE TABLE fan_outs (
    message_id TEXT NOT NULL PRIMARY KEY,
    topic_id BIGINT NOT NULL,
    content TEXT NOT NULL,              -- JSON of the message
    reached BIGINT NOT NULL,            -- the last subscription that was served
    created_at BIGINT NOT NULL
);
