-- The suppression list of each account, and what else an account has set for its sending.

CREATE TABLE suppressed_addresses (
    account    TEXT   NOT NULL,
    region     TEXT   NOT NULL,
    address    TEXT   NOT NULL, -- in lower case
    reason     TEXT   NOT NULL, -- BOUNCE or COMPLAINT
    feedback_id TEXT,           -- the bounce or complaint that put it here; null: a call did
    message_id TEXT,            -- the mail that it was about
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, address)
);

-- No row: the defaults (both reasons suppress, no request for production access).
CREATE TABLE account_settings (
    account            TEXT   NOT NULL,
    region             TEXT   NOT NULL,
    suppressed_reasons TEXT   NOT NULL, -- JSON list: ["BOUNCE", "COMPLAINT"]
    details            TEXT,            -- JSON: what PutAccountDetails said
    review             TEXT,            -- PENDING, GRANTED, DENIED; null: never asked
    requested_at       BIGINT,
    PRIMARY KEY (account, region)
);
CREATE INDEX account_settings_by_review ON account_settings (review, requested_at) WHERE review IS NOT NULL;
