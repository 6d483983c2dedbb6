-- SNS: topics, their subscriptions, what was published for HTTP endpoints, and the keys that sign it.

CREATE TABLE topics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    -- JSON object of the attributes that were set (DisplayName, Policy, DeliveryPolicy, SignatureVersion ...).
    attributes TEXT NOT NULL,
    -- JSON object of tags.
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account, region, name)
);
-- ListTopics walks an account's topics in order of id.
CREATE INDEX topics_by_account ON topics (account, region, id);

CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id BIGINT NOT NULL REFERENCES topics (id) ON DELETE CASCADE,
    -- The last part of the subscription's ARN.
    uuid TEXT NOT NULL UNIQUE,
    -- Who subscribed; the topic's account and region stand in the topic.
    owner TEXT NOT NULL,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    -- 0 waits for confirmation, 1 is confirmed, 2 was unsubscribed and may be restored with its token.
    state BIGINT NOT NULL,
    -- 1 when messages come without an envelope, and so without a signature.
    raw BIGINT NOT NULL,
    -- JSON object of the attributes that were set (RawMessageDelivery, RedrivePolicy, DeliveryPolicy ...).
    attributes TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE,
    token_expires_at BIGINT NOT NULL,
    -- 1 when only the owner may unsubscribe (AuthenticateOnUnsubscribe).
    authenticated BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (topic_id, protocol, endpoint)
);
-- Publishing reads a topic's confirmed subscriptions; listing walks them in order of id.
CREATE INDEX subscriptions_by_topic ON subscriptions (topic_id, state, id);
-- Publishing asks first which protocols need a signature.
CREATE INDEX subscriptions_to_sign ON subscriptions (topic_id, state, raw, protocol);
CREATE INDEX subscriptions_by_owner ON subscriptions (owner, id);
-- The sweep of expired, never confirmed subscriptions.
CREATE INDEX subscriptions_by_expiry ON subscriptions (state, token_expires_at);

-- A published message, kept once while jobs of the delivery queue still refer to it.
CREATE TABLE publications (
    message_id TEXT NOT NULL PRIMARY KEY,
    -- JSON of the publication: message per protocol, subject, attributes, timestamp, signature.
    content TEXT NOT NULL,
    -- Deliveries that have not ended yet; the row goes with the last of them.
    remaining BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX publications_by_age ON publications (created_at);

-- One row per attempt to hand a message to an HTTP endpoint, for an operator to read.
CREATE TABLE delivery_attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    message_id TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- The HTTP status; absent when there was no answer.
    status BIGINT,
    latency_micros BIGINT NOT NULL,
    -- delivered, retried or failed, and why.
    outcome TEXT NOT NULL,
    -- The first bytes of the answer, as text.
    answer TEXT NOT NULL
);
CREATE INDEX delivery_attempts_by_subscription ON delivery_attempts (subscription, at);
CREATE INDEX delivery_attempts_by_age ON delivery_attempts (at);

-- RSA keys that sign published messages, and the certificates that verify them. Old certificates stay readable.
CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    -- PKCS#8 in PEM.
    private_key TEXT NOT NULL,
    -- X.509 in PEM.
    certificate TEXT NOT NULL,
    -- 1 for the key that signs, 0 for those before it.
    active BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
-- Of two nodes that make the first key at the same time, one wins and both use it.
CREATE UNIQUE INDEX signing_keys_active ON signing_keys (active) WHERE active = 1;
