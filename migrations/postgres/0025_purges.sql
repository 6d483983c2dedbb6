-- Purges that are under way: messages of the queue that were sent until then go.
CREATE TABLE purges (
    queue_id BIGINT PRIMARY KEY,
    until BIGINT NOT NULL
);
