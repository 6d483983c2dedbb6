-- What the limits of an account's subscriptions count.

-- 1 where the attributes hold a filter policy.
ALTER TABLE subscriptions ADD COLUMN filtered BIGINT NOT NULL DEFAULT 0;
UPDATE subscriptions SET filtered = 1 WHERE attributes LIKE '%"FilterPolicy":%';
CREATE INDEX subscriptions_filtered ON subscriptions (owner) WHERE filtered = 1;
CREATE INDEX subscriptions_filtered_by_topic ON subscriptions (topic_id) WHERE filtered = 1;
-- Those that wait for confirmation.
CREATE INDEX subscriptions_pending ON subscriptions (owner) WHERE state = 0;
