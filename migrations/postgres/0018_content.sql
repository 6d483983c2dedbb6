-- Templates, destinations of other kinds than topics, notifications of identities, and answers kept for idempotency.

CREATE TABLE email_templates (
    account    TEXT NOT NULL,
    region     TEXT NOT NULL,
    name       TEXT NOT NULL,
    subject    TEXT,
    text       TEXT,
    html       TEXT,
    tags       TEXT NOT NULL, -- JSON list of [name, value]
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

-- JSON: what a destination that is no topic needs to know.
ALTER TABLE event_destinations ADD COLUMN details TEXT;

-- Where the bounces, complaints and deliveries of an identity's mails are told (SES: notification topics).
CREATE TABLE identity_notifications (
    account  TEXT   NOT NULL,
    region   TEXT   NOT NULL,
    identity TEXT   NOT NULL,
    kind     TEXT   NOT NULL, -- Bounce, Complaint, Delivery
    topic_arn TEXT,           -- null: not told
    headers  BIGINT NOT NULL,     -- 1: with the mail's headers
    PRIMARY KEY (account, region, identity, kind)
);

-- What a send call with an Idempotency-Key was answered.
CREATE TABLE idempotent_sends (
    account     TEXT   NOT NULL,
    region      TEXT   NOT NULL,
    key         TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL, -- of the request's body
    message_id  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, region, key)
);
CREATE INDEX idempotent_sends_by_time ON idempotent_sends (created_at);
