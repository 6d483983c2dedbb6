-- Received mail that goes on: who is told when it does not arrive. The row goes when somebody was told, or with the mail.
CREATE TABLE forwards (
    mail_id      TEXT NOT NULL PRIMARY KEY, -- the mail that goes on
    inbound_id   TEXT NOT NULL,             -- the mail that was received
    received_by  TEXT NOT NULL,             -- the address that received it
    reverse_path TEXT NOT NULL              -- who is told; empty for nobody
) STRICT;
