-- Master keys that sealed before the one in use, until nothing is sealed under them any more: a start without one of them is
-- refused as long as it is needed.
CREATE TABLE master_keys_before (
    master_key TEXT PRIMARY KEY,        -- the key's id
    until BIGINT NOT NULL
);
