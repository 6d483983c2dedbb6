-- From here on messages.body and access_keys.secret hold sealed texts (src/store/vault); what is there already stays
-- readable, and secrets are sealed at the next start.

-- Which master key seals what is stored. One row: every node must have this key.
CREATE TABLE master_key_in_use (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    master_key TEXT NOT NULL,           -- the key's id, which tells nothing about it
    since BIGINT NOT NULL
);
