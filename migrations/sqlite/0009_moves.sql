-- Tasks that move a dead-letter queue's messages elsewhere, and names that are not free yet.
CREATE TABLE move_tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of starting
    task_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    source TEXT NOT NULL,        -- ARN of the queue whose messages move
    destination TEXT,            -- ARN; NULL: each message goes back to where it came from
    per_second BIGINT,           -- messages; NULL: as fast as it goes
    status TEXT NOT NULL,        -- RUNNING, COMPLETED, CANCELLING, CANCELLED, FAILED
    failure TEXT,
    moved BIGINT NOT NULL,
    to_move BIGINT NOT NULL,     -- how many there were when it started
    started_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,     -- when the next message may move
    ended_at BIGINT
);
-- At the most one task is under way for each source.
CREATE UNIQUE INDEX move_tasks_under_way ON move_tasks (source) WHERE ended_at IS NULL;
CREATE INDEX move_tasks_by_source ON move_tasks (source, id);

-- ListDeadLetterSourceQueues.
CREATE INDEX queues_by_dead_letter_queue ON queues (dead_letter_queue, name);

-- Receives in the queues that it was moved from: a redrive policy counts those of its own queue only.
ALTER TABLE messages ADD COLUMN receives_before BIGINT NOT NULL DEFAULT 0;

-- A deleted queue's name is free again after a minute.
ALTER TABLE deleted_queues ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE deleted_queues ADD COLUMN region TEXT NOT NULL DEFAULT '';
ALTER TABLE deleted_queues ADD COLUMN name TEXT NOT NULL DEFAULT '';
CREATE INDEX deleted_queues_by_name ON deleted_queues (account, region, name, deleted_at);
