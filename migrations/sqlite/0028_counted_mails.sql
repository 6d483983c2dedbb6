-- When a mail counts in the quota. Nodes that share a database count by the database's clock: one of theirs may be off.
ALTER TABLE mails ADD COLUMN counted_at INTEGER NOT NULL DEFAULT 0;
UPDATE mails SET counted_at = accepted_at;
-- The sums of the quota and of the statistics read this index alone.
DROP INDEX mails_by_account;
CREATE INDEX mails_counted ON mails (account, region, counted_at, kind, recipient_count);
