-- Message groups: queues that keep the order of each group (FIFO), and queues that share turns among groups.
ALTER TABLE queues ADD COLUMN fifo TEXT; -- JSON; NULL for a standard queue

-- 0: in no group; 1: in a group that shares turns; 2: in a group that keeps its order.
ALTER TABLE messages ADD COLUMN grouped BIGINT NOT NULL DEFAULT 0;
ALTER TABLE messages ADD COLUMN deduplication_id TEXT;
UPDATE messages SET grouped = 1 WHERE group_id IS NOT NULL;

-- Each message stands in one of the first three, which serve the claims. Their conditions and orders differ so that no
-- planner can mistake one for another: a claim from one group must never walk over the messages of the others.
DROP INDEX messages_by_visibility;
CREATE INDEX messages_by_visibility ON messages (queue_id, visible_at, id, receipt) WHERE grouped = 0;
CREATE INDEX messages_of_group ON messages (queue_id, group_id, visible_at, id) WHERE grouped = 1;
-- `id + 0`, so that the primary key does not offer itself for this order: it would walk over other groups.
CREATE INDEX messages_in_order ON messages (queue_id, group_id, (id + 0)) WHERE grouped = 2;
-- Serves retention and purge of messages in groups.
CREATE INDEX messages_grouped_by_age ON messages (queue_id, sent_at, id) WHERE grouped > 0;
-- What workers hold: as many rows as they have places.
CREATE INDEX messages_held ON messages (queue_id, group_id) WHERE holder IS NOT NULL;

-- One row for each group that has messages. Its turn comes at ready_at, and after a turn it goes to the back.
CREATE TABLE message_groups (
    queue_id BIGINT NOT NULL,
    group_id TEXT NOT NULL,
    ready_at BIGINT NOT NULL,
    served BIGINT NOT NULL DEFAULT 0,   -- turns so far: breaks ties between groups that are ready at one time
    PRIMARY KEY (queue_id, group_id)
);
CREATE INDEX message_groups_by_turn ON message_groups (queue_id, ready_at, served, group_id);
INSERT INTO message_groups (queue_id, group_id, ready_at)
SELECT queue_id, group_id, MIN(visible_at) FROM messages WHERE grouped = 1 GROUP BY queue_id, group_id;

-- What was sent to FIFO queues in the last minutes. Outlives the messages.
CREATE TABLE deduplications (
    queue_id BIGINT NOT NULL,
    group_id TEXT NOT NULL,             -- empty where the whole queue is the scope
    deduplication_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    message BIGINT NOT NULL,            -- the row, and so the sequence number
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (queue_id, group_id, deduplication_id)
);
CREATE INDEX deduplications_by_expiry ON deduplications (expires_at);

-- Receives from FIFO queues that may be repeated.
CREATE TABLE receive_attempts (
    queue_id BIGINT NOT NULL,
    attempt_id TEXT NOT NULL,
    receipt BIGINT NOT NULL,
    hidden_until BIGINT NOT NULL,
    messages TEXT NOT NULL,             -- JSON: the rows
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (queue_id, attempt_id)
);
CREATE INDEX receive_attempts_by_expiry ON receive_attempts (expires_at);
