-- The one queue engine: users' SQS queues and the system's own queues.
CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    visibility_timeout BIGINT NOT NULL, -- seconds
    delay BIGINT NOT NULL,              -- seconds
    retention BIGINT NOT NULL,          -- seconds
    message_size_max BIGINT NOT NULL,   -- bytes
    receive_wait BIGINT NOT NULL,       -- seconds
    dead_letter_queue TEXT,             -- ARN
    receives_max BIGINT,                -- receives before a message moves to the dead-letter queue
    attributes TEXT NOT NULL,           -- JSON: the attributes that the engine itself does not need
    tags TEXT NOT NULL,                 -- JSON
    created_at BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    purged_at BIGINT,
    UNIQUE (account, region, name)
);

-- AUTOINCREMENT, because an id must never be given out twice: ids are the order of the queue.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue_id BIGINT NOT NULL,
    visible_at BIGINT NOT NULL,         -- in the future while in flight or delayed
    receipt BIGINT NOT NULL DEFAULT 0,  -- names the last receive; 0 before the first
    receive_count BIGINT NOT NULL DEFAULT 0,
    sent_at BIGINT NOT NULL,
    first_received_at BIGINT,
    received_at BIGINT,
    message_id TEXT NOT NULL,
    group_id TEXT,
    sender TEXT,
    holder TEXT,                        -- the node whose worker holds the claim; NULL in users' queues
    why TEXT,                           -- the reason of the last move: a retry, or the dead-letter queue
    dead_letter_source TEXT,            -- ARN of the queue that it was moved from
    attributes TEXT,                    -- JSON: message attributes
    trace_header TEXT,
    body TEXT NOT NULL
);

-- Serves claim, counts, retention and the next visible time: the cost of a receive does not grow with the queue.
CREATE INDEX messages_by_visibility ON messages (queue_id, visible_at, id);

-- Queues that are gone, whose messages are still being taken away.
CREATE TABLE deleted_queues (
    queue_id BIGINT PRIMARY KEY,
    deleted_at BIGINT NOT NULL
);
