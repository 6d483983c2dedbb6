-- Whether a mail goes over TLS or not at all, as its configuration set said when the mail was accepted. Mails of earlier versions ask
-- their configuration set alone.
ALTER TABLE mails ADD COLUMN require_tls BIGINT NOT NULL DEFAULT 0;
