-- What comes back: the key of the marks in return paths, and what was told of recipients, so that it is told once.
CREATE TABLE feedback_keys (
    id         BIGINT NOT NULL PRIMARY KEY, -- 1: there is one
    secret     TEXT   NOT NULL,             -- sealed
    created_at BIGINT NOT NULL
);

CREATE TABLE feedback (
    mail_id     TEXT   NOT NULL,
    n           BIGINT NOT NULL,
    kind        TEXT   NOT NULL, -- Bounce, Complaint or DeliveryDelay
    feedback_id TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (mail_id, n, kind)
);
