-- The inbox: outbound mail that was captured and went nowhere, one row per recipient. The message itself stays in
-- raw_messages; prefix holds the fields that delivery puts before it, such as DKIM-Signature.
CREATE TABLE captured (
    seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order of capture
    mail_id     TEXT   NOT NULL,
    n           BIGINT NOT NULL,                                 -- the recipient's place in the mail
    account     TEXT   NOT NULL,
    region      TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    recipient   TEXT   NOT NULL,
    subject     TEXT   NOT NULL,                                 -- decoded
    prefix      BYTEA  NOT NULL,
    size        BIGINT NOT NULL,                                 -- octets of prefix and message
    captured_at BIGINT NOT NULL,
    UNIQUE (mail_id, n)
);
