-- What was ended while messages were on their way to it: who subscribed when a message was published gets it, whatever
-- became of the subscription or its topic since.

CREATE TABLE ended_topics (
    id BIGINT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    tags TEXT NOT NULL,
    ended_at BIGINT NOT NULL
);
CREATE INDEX ended_topics_by_age ON ended_topics (ended_at);

-- Confirmed subscriptions that were deleted, themselves or with their topics. The columns are those of `subscriptions`.
CREATE TABLE ended_subscriptions (
    id BIGINT NOT NULL PRIMARY KEY,
    topic_id BIGINT NOT NULL,
    uuid TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    protocol TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    state BIGINT NOT NULL,
    raw BIGINT NOT NULL,
    attributes TEXT NOT NULL,
    token TEXT NOT NULL,
    token_expires_at BIGINT NOT NULL,
    authenticated BIGINT NOT NULL,
    live BIGINT NOT NULL,
    replay_status TEXT,
    replay_id TEXT NOT NULL,
    replay_after BIGINT NOT NULL,
    ended_at BIGINT NOT NULL
);
-- A fan-out under way walks a topic's in order of id.
CREATE INDEX ended_subscriptions_by_topic ON ended_subscriptions (topic_id, id);
CREATE INDEX ended_subscriptions_by_age ON ended_subscriptions (ended_at);
-- The sweep asks for the oldest fan-out under way.
CREATE INDEX fan_outs_by_age ON fan_outs (created_at);
