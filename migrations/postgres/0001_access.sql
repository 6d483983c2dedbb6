-- Who may call: accounts and their access keys.
CREATE TABLE accounts (
    id TEXT PRIMARY KEY,                -- 12 digits
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    secret TEXT NOT NULL,               -- in clear: SigV4 and SES's SMTP passwords are derived from it
    active BIGINT NOT NULL,             -- 0 or 1
    created_at BIGINT NOT NULL
);

CREATE INDEX access_keys_by_account ON access_keys (account, created_at, id);
