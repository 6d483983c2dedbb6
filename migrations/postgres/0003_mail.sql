-- SES: identities, configuration sets, accepted mails with their recipients, and the sending limits of accounts.

-- A domain or an address that an account may send from. name is in lower case.
-- status: PENDING, SUCCESS, FAILED (the names of SES's VerificationStatus).
CREATE TABLE identities (
    account            TEXT    NOT NULL,
    region             TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    kind               TEXT    NOT NULL, -- EMAIL_ADDRESS or DOMAIN
    status             TEXT    NOT NULL,
    created_at         BIGINT NOT NULL,
    verified_at        BIGINT,
    checked_at         BIGINT,
    next_check_at      BIGINT,          -- null: nothing to check
    link_token         TEXT,             -- an address waits for this link to be opened
    link_expires_at    BIGINT,
    configuration_set  TEXT,             -- the default one for what this identity sends
    feedback_forwarding BIGINT NOT NULL DEFAULT 1,
    dkim_signing       BIGINT NOT NULL DEFAULT 1,
    tags               TEXT    NOT NULL, -- JSON list of [name, value]
    PRIMARY KEY (account, region, name)
);
CREATE INDEX identities_due ON identities (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE UNIQUE INDEX identities_by_link ON identities (link_token) WHERE link_token IS NOT NULL;
CREATE INDEX identities_by_name ON identities (name, status);

-- The DKIM keys of a domain identity. The three selectors of Easy DKIM share one key; the first one signs.
CREATE TABLE dkim_keys (
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    domain      TEXT    NOT NULL,
    selector    TEXT    NOT NULL,
    n           BIGINT NOT NULL, -- 0, 1, 2: the order of the tokens
    algorithm   TEXT    NOT NULL, -- rsa
    bits        BIGINT NOT NULL,
    private_key BYTEA   NOT NULL, -- PKCS #8, DER
    public_key  TEXT    NOT NULL, -- SubjectPublicKeyInfo, DER, base64: the p= of the DNS record
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (account, region, domain, selector)
);

CREATE TABLE configuration_sets (
    account         TEXT    NOT NULL,
    region          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    sending_enabled BIGINT NOT NULL DEFAULT 1,
    tls_policy      TEXT,             -- REQUIRE or OPTIONAL
    max_delivery_seconds BIGINT,
    options         TEXT    NOT NULL, -- JSON: the other options, as they were given
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);

CREATE TABLE event_destinations (
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    configuration_set TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    enabled           BIGINT NOT NULL,
    event_types       TEXT    NOT NULL, -- JSON list: ["SEND", "BOUNCE"]
    topic_arn         TEXT    NOT NULL,
    created_at        BIGINT NOT NULL,
    PRIMARY KEY (account, region, configuration_set, name)
);

-- A complete message as it was accepted, kept once. id is the mail's id.
CREATE TABLE raw_messages (
    id         TEXT    NOT NULL PRIMARY KEY,
    data       BYTEA   NOT NULL,
    created_at BIGINT NOT NULL
);

-- A mail that was accepted for sending. id is the SES message id, which grows with time.
CREATE TABLE mails (
    id                TEXT    NOT NULL,
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    caller            TEXT    NOT NULL, -- the access key or user: ses:caller-identity
    source_ip         TEXT,
    source            TEXT    NOT NULL, -- the sender's address
    return_path       TEXT    NOT NULL, -- where bounces go; equal to source where none was named
    configuration_set TEXT,
    tags              TEXT    NOT NULL, -- JSON list of [name, value], as the caller gave them
    headers           TEXT    NOT NULL, -- JSON: what event records tell of the headers
    identity          TEXT,             -- the name of the identity that allowed the sender; null for our own mails
    kind              TEXT    NOT NULL, -- USER, or SYSTEM: our own (verification mails), counts in no quota
    size              BIGINT NOT NULL, -- octets of the raw message
    recipient_count   BIGINT NOT NULL,
    accepted_at       BIGINT NOT NULL,
    expires_at        BIGINT NOT NULL, -- what is not delivered by then bounces
    PRIMARY KEY (id)
);
-- The sums of the quota read this index alone.
CREATE INDEX mails_by_account ON mails (account, region, accepted_at, kind, recipient_count);
CREATE INDEX mails_by_time ON mails (accepted_at);

-- One row per recipient of a mail.
-- status: Pending, Delivered, Bounced, Suppressed, Rejected (see store/mails.rs).
CREATE TABLE recipients (
    mail_id     TEXT    NOT NULL,
    n           BIGINT NOT NULL, -- 0, 1, ...: the place in the list
    address     TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    attempts    BIGINT NOT NULL DEFAULT 0,
    last_reply  TEXT,             -- the newest answer or trouble, for people
    delayed_at  BIGINT,          -- when a DeliveryDelay event was published
    changed_at  BIGINT NOT NULL, -- when status or attempts changed
    PRIMARY KEY (mail_id, n)
);

-- Each delivery attempt with its transcript.
CREATE TABLE attempts (
    mail_id     TEXT    NOT NULL,
    n           BIGINT NOT NULL,
    attempt     BIGINT NOT NULL, -- 1, 2, ...
    started_at  BIGINT NOT NULL,
    finished_at BIGINT NOT NULL,
    outcome     TEXT    NOT NULL, -- Delivered, Delayed, Bounced
    remote      TEXT,             -- host name and address of the other side
    tls         TEXT,             -- protocol and cipher, null for clear text
    reply       TEXT,             -- the answer that decided
    transcript  TEXT    NOT NULL,
    PRIMARY KEY (mail_id, n, attempt)
);

-- What an account may send in a region. No row: the mode's default (sandbox in serve, unlimited in dev).
CREATE TABLE sending_accounts (
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    sending_enabled   BIGINT NOT NULL,
    production_access BIGINT NOT NULL,
    max_24_hour       BIGINT NOT NULL, -- recipients; -1 is unlimited
    max_per_second    BIGINT NOT NULL, -- recipients; -1 is unlimited
    locked_at         BIGINT NOT NULL, -- written to take the row's lock while the quota is counted
    PRIMARY KEY (account, region)
);
