-- SES receiving: who may deliver mail for an account, by the client's IP address.
CREATE TABLE receipt_filters (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    policy     TEXT    NOT NULL, -- Block, Allow
    cidr       TEXT    NOT NULL, -- as it was given
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
