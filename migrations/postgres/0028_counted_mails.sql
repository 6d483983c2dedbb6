-- When a mail counts in the quota. Nodes that share a database count by the database's clock: one of theirs may be off.
CREATE FUNCTION postrider_now() RETURNS BIGINT LANGUAGE sql VOLATILE AS
    'SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)';
ALTER TABLE mails ADD COLUMN counted_at BIGINT NOT NULL DEFAULT 0;
UPDATE mails SET counted_at = accepted_at;
ALTER TABLE mails ALTER COLUMN counted_at SET DEFAULT postrider_now();
-- The sums of the quota and of the statistics read this index alone.
DROP INDEX mails_by_account;
CREATE INDEX mails_counted ON mails (account, region, counted_at, kind, recipient_count);
