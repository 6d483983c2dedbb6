-- What became of recipients, for the statistics of accounts: a row for each that does not simply arrive, written with the
-- event that tells of it. Rows are added only, so nobody waits for anybody. kind: BOUNCE, COMPLAINT, REJECT; SIMULATED (a
-- recipient that the mail's count leaves out), UNSENT (one that it has, and that was never tried).
CREATE TABLE sending_outcomes (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    recipients INTEGER NOT NULL,
    at INTEGER NOT NULL                  -- when the mail was accepted
) STRICT;
CREATE INDEX sending_outcomes_by_account ON sending_outcomes (account, region, at);
CREATE INDEX sending_outcomes_by_time ON sending_outcomes (at);
INSERT INTO sending_outcomes (account, region, kind, recipients, at)
    SELECT m.account, m.region,
           CASE WHEN r.status = 'Bounced' THEN 'BOUNCE' WHEN r.status = 'Rejected' THEN 'REJECT' ELSE 'UNSENT' END,
           1, m.accepted_at
    FROM mails m JOIN recipients r ON r.mail_id = m.id
    WHERE m.kind = 'USER' AND (r.status = 'Suppressed' OR r.status = 'Rejected' OR (r.status = 'Bounced' AND r.attempts > 0));
