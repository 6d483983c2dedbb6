-- What comes back: the key of the marks in return paths, and what was told of recipients, so that it is told once.
CREATE TABLE feedback_keys (
    id         INTEGER NOT NULL PRIMARY KEY, -- 1: there is one
    secret     TEXT    NOT NULL,             -- sealed
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE feedback (
    mail_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    kind        TEXT    NOT NULL, -- Bounce, Complaint or DeliveryDelay
    feedback_id TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (mail_id, n, kind)
) STRICT, WITHOUT ROWID;
