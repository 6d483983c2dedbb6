-- Which master key seals what is stored. One row: every node must have this key.
CREATE TABLE master_key_in_use (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    master_key TEXT NOT NULL,           -- the key's id, which tells nothing about it
    since BIGINT NOT NULL
);
