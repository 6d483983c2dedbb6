-- SES receiving: receipt rule sets, the active one of each account and region, and the mails that came in.

-- A rule set with its rules, in order. Changing one writes its row, so that two changes at once wait for each other.
CREATE TABLE receipt_rule_sets (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    rules      TEXT    NOT NULL, -- JSON list (see mail/receiving/rules.rs)
    version    BIGINT NOT NULL, -- counts the changes
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- No row: no rule set is active, and nothing is accepted.
CREATE TABLE receipt_active_rule_sets (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    rule_set TEXT NOT NULL,
    PRIMARY KEY (account, region)
);

-- A mail as it was accepted for one account and region. Several rows share one raw message when its recipients belong
-- to several accounts.
CREATE TABLE inbound_mails (
    id          TEXT    NOT NULL, -- the messageId of the notifications
    raw_id      TEXT    NOT NULL, -- of raw_messages
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    source      TEXT,             -- the reverse path; null for the null reverse path
    recipients  TEXT    NOT NULL, -- JSON list of addresses
    helo        TEXT    NOT NULL,
    peer        TEXT    NOT NULL, -- IP address
    tls         BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    state       TEXT    NOT NULL, -- Waiting, Done, Failed (see store/inbound_mails.rs)
    note        TEXT,             -- what there is to say about the end, for people
    finished_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX inbound_mails_by_raw ON inbound_mails (raw_id);
CREATE INDEX inbound_mails_by_time ON inbound_mails (received_at);
