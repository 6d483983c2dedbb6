-- SES: identities, configuration sets, accepted mails with their recipients, and the sending limits of accounts.

-- A domain or an address that an account may send from. name is in lower case.
-- status: PENDING, SUCCESS, FAILED (the names of SES's VerificationStatus).
CREATE TABLE identities (
    account            TEXT    NOT NULL,
    region             TEXT    NOT NULL,
    name               TEXT    NOT NULL,
    kind               TEXT    NOT NULL, -- EMAIL_ADDRESS or DOMAIN
    status             TEXT    NOT NULL,
    created_at         INTEGER NOT NULL,
    verified_at        INTEGER,
    checked_at         INTEGER,
    next_check_at      INTEGER,          -- null: nothing to check
    link_token         TEXT,             -- an address waits for this link to be opened
    link_expires_at    INTEGER,
    configuration_set  TEXT,             -- the default one for what this identity sends
    feedback_forwarding INTEGER NOT NULL DEFAULT 1,
    dkim_signing       INTEGER NOT NULL DEFAULT 1,
    tags               TEXT    NOT NULL, -- JSON list of [name, value]
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_due ON identities (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE UNIQUE INDEX identities_by_link ON identities (link_token) WHERE link_token IS NOT NULL;
CREATE INDEX identities_by_name ON identities (name, status);

-- The DKIM keys of a domain identity. The three selectors of Easy DKIM share one key; the first one signs.
CREATE TABLE dkim_keys (
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    domain      TEXT    NOT NULL,
    selector    TEXT    NOT NULL,
    n           INTEGER NOT NULL, -- 0, 1, 2: the order of the tokens
    algorithm   TEXT    NOT NULL, -- rsa
    bits        INTEGER NOT NULL,
    private_key BLOB    NOT NULL, -- PKCS #8, DER
    public_key  TEXT    NOT NULL, -- SubjectPublicKeyInfo, DER, base64: the p= of the DNS record
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (account, region, domain, selector)
) STRICT, WITHOUT ROWID;

CREATE TABLE configuration_sets (
    account         TEXT    NOT NULL,
    region          TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    sending_enabled INTEGER NOT NULL DEFAULT 1,
    tls_policy      TEXT,             -- REQUIRE or OPTIONAL
    max_delivery_seconds INTEGER,
    options         TEXT    NOT NULL, -- JSON: the other options, as they were given
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (account, region, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_destinations (
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    configuration_set TEXT    NOT NULL,
    name              TEXT    NOT NULL,
    enabled           INTEGER NOT NULL,
    event_types       TEXT    NOT NULL, -- JSON list: ["SEND", "BOUNCE"]
    topic_arn         TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (account, region, configuration_set, name)
) STRICT, WITHOUT ROWID;

-- A complete message as it was accepted, kept once. id is the mail's id.
CREATE TABLE raw_messages (
    id         TEXT    NOT NULL PRIMARY KEY,
    data       BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

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
    size              INTEGER NOT NULL, -- octets of the raw message
    recipient_count   INTEGER NOT NULL,
    accepted_at       INTEGER NOT NULL,
    expires_at        INTEGER NOT NULL, -- what is not delivered by then bounces
    PRIMARY KEY (id)
) STRICT;
-- The sums of the quota read this index alone.
CREATE INDEX mails_by_account ON mails (account, region, accepted_at, kind, recipient_count);
CREATE INDEX mails_by_time ON mails (accepted_at);

-- One row per recipient of a mail.
-- status: Pending, Delivered, Bounced, Suppressed, Rejected (see store/mails.rs).
CREATE TABLE recipients (
    mail_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL, -- 0, 1, ...: the place in the list
    address     TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    last_reply  TEXT,             -- the newest answer or trouble, for people
    delayed_at  INTEGER,          -- when a DeliveryDelay event was published
    changed_at  INTEGER NOT NULL, -- when status or attempts changed
    PRIMARY KEY (mail_id, n)
) STRICT, WITHOUT ROWID;

-- Each delivery attempt with its transcript.
CREATE TABLE attempts (
    mail_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    attempt     INTEGER NOT NULL, -- 1, 2, ...
    started_at  INTEGER NOT NULL,
    finished_at INTEGER NOT NULL,
    outcome     TEXT    NOT NULL, -- Delivered, Delayed, Bounced
    remote      TEXT,             -- host name and address of the other side
    tls         TEXT,             -- protocol and cipher, null for clear text
    reply       TEXT,             -- the answer that decided
    transcript  TEXT    NOT NULL,
    PRIMARY KEY (mail_id, n, attempt)
) STRICT;

-- What an account may send in a region. No row: the mode's default (sandbox in serve, unlimited in dev).
CREATE TABLE sending_accounts (
    account           TEXT    NOT NULL,
    region            TEXT    NOT NULL,
    sending_enabled   INTEGER NOT NULL,
    production_access INTEGER NOT NULL,
    max_24_hour       INTEGER NOT NULL, -- recipients; -1 is unlimited
    max_per_second    INTEGER NOT NULL, -- recipients; -1 is unlimited
    locked_at         INTEGER NOT NULL, -- written to take the row's lock while the quota is counted
    PRIMARY KEY (account, region)
) STRICT, WITHOUT ROWID;
