-- Identities, whole: proof by TXT and by DKIM that is looked at again and again, keys that change, MAIL FROM domains,
-- policies, links that are counted, and templates for verification mails.
-- Statuses: PENDING, SUCCESS, FAILED, TEMPORARY_FAILURE, NOT_STARTED (the words of SESv2).

ALTER TABLE identities ADD COLUMN since BIGINT;            -- when PENDING or TEMPORARY_FAILURE began: the 72 hours
ALTER TABLE identities ADD COLUMN error TEXT;               -- why the last look found no proof (SESv2 VerificationError)
ALTER TABLE identities ADD COLUMN txt_token TEXT;           -- asked for in _amazonses.<domain>
ALTER TABLE identities ADD COLUMN dkim_status TEXT NOT NULL DEFAULT 'NOT_STARTED';
ALTER TABLE identities ADD COLUMN dkim_since BIGINT;
ALTER TABLE identities ADD COLUMN dkim_origin TEXT NOT NULL DEFAULT 'AWS_SES'; -- or EXTERNAL: the owner's own key
ALTER TABLE identities ADD COLUMN dkim_next_bits BIGINT NOT NULL DEFAULT 2048;
ALTER TABLE identities ADD COLUMN mail_from_domain TEXT;
ALTER TABLE identities ADD COLUMN mail_from_status TEXT;
ALTER TABLE identities ADD COLUMN mail_from_since BIGINT;
ALTER TABLE identities ADD COLUMN mail_from_reject BIGINT NOT NULL DEFAULT 0; -- 1: REJECT_MESSAGE
UPDATE identities SET since = created_at WHERE status = 'PENDING';
UPDATE identities SET dkim_status = status, dkim_since = since WHERE kind = 'DOMAIN';
-- What the DNS has proved is looked at again. What was verified when it was made was never in the DNS.
UPDATE identities SET next_check_at = created_at
    WHERE kind = 'DOMAIN' AND status = 'SUCCESS' AND verified_at > created_at;

-- state: CURRENT signs; NEXT signs from when it is found in the DNS; RETIRED signed before; SPARE was never needed.
-- private_key holds a sealed text, or PKCS #8 in DER from before sealing. algorithm is rsa or ed25519.
ALTER TABLE dkim_keys ADD COLUMN state TEXT NOT NULL DEFAULT 'SPARE';
UPDATE dkim_keys SET state = 'CURRENT' WHERE n = 0;
UPDATE identities SET dkim_next_bits = 1024 WHERE EXISTS (
    SELECT 1 FROM dkim_keys k WHERE k.account = identities.account AND k.region = identities.region
        AND k.domain = identities.name AND k.bits = 1024);

-- A link that was mailed. token is the hash of what stands in it. Old ones count against the limits for a day.
CREATE TABLE verification_links (
    token       TEXT    NOT NULL PRIMARY KEY,
    account     TEXT    NOT NULL,
    region      TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    used_at     BIGINT,
    success_url TEXT,            -- where the browser goes then
    failure_url TEXT
);
CREATE INDEX verification_links_by_name ON verification_links (name, created_at);
CREATE INDEX verification_links_by_account ON verification_links (account, created_at);
CREATE INDEX verification_links_by_time ON verification_links (created_at);
INSERT INTO verification_links (token, account, region, name, created_at, expires_at)
    SELECT link_token, account, region, name, created_at, link_expires_at FROM identities
    WHERE link_token IS NOT NULL AND link_expires_at IS NOT NULL;
DROP INDEX identities_by_link;
ALTER TABLE identities DROP COLUMN link_token;
ALTER TABLE identities DROP COLUMN link_expires_at;

CREATE TABLE identity_policies (
    account    TEXT    NOT NULL,
    region     TEXT    NOT NULL,
    identity   TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    policy     TEXT    NOT NULL, -- JSON, as it was given
    created_at BIGINT NOT NULL,
    PRIMARY KEY (account, region, identity, name)
);

CREATE TABLE verification_templates (
    account      TEXT    NOT NULL,
    region       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    from_address TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    content      TEXT    NOT NULL, -- HTML
    success_url  TEXT    NOT NULL,
    failure_url  TEXT    NOT NULL,
    tags         TEXT    NOT NULL, -- JSON list of [name, value]
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (account, region, name)
);
