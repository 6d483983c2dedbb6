-- Where this database stands, and until when it was in use, so that a copy or a restored backup is noticed. What is held is
-- a fact of the database: all nodes see it. On PostgreSQL the table's own number tells one copy from another: a later
-- migration must not make the table anew.
CREATE TABLE lineage (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    name TEXT NOT NULL,                 -- random; a copy has the same
    place TEXT,                         -- what tells this copy from others; NULL: not known
    beat BIGINT NOT NULL,               -- when a node noted last that it uses the database
    held_since BIGINT,                  -- NULL: nothing is held
    held_because TEXT
);
