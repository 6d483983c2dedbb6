-- Whether what was ended is still needed is asked for one topic; the sweep walks what was ended once, from the oldest on.
CREATE INDEX fan_outs_by_topic ON fan_outs (topic_id, created_at);
DROP INDEX fan_outs_by_age;
DROP INDEX ended_subscriptions_by_age;
CREATE INDEX ended_subscriptions_by_age ON ended_subscriptions (ended_at, id);
