-- Jobs that put the addresses of an object on an account's suppression list, or take them off.
CREATE TABLE import_jobs (
    n INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of starting
    id TEXT NOT NULL UNIQUE,             -- the JobId, a UUID
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    action TEXT NOT NULL,                -- PUT or DELETE
    url TEXT NOT NULL,                   -- s3://BUCKET/KEY
    format TEXT NOT NULL,                -- CSV or JSON
    status TEXT NOT NULL,                -- CREATED, PROCESSING, COMPLETED, FAILED
    processed INTEGER NOT NULL,           -- records that were worked, with those that failed
    failed INTEGER NOT NULL,              -- records that are none
    attempts INTEGER NOT NULL,            -- how often the object store failed
    next_at INTEGER,                      -- when it goes on, or who works on it lost it; null: it has ended
    error TEXT,                          -- why it failed
    failed_url TEXT,                     -- the object that names the records that failed
    created_at INTEGER NOT NULL,
    completed_at INTEGER
) STRICT;
CREATE INDEX import_jobs_by_account ON import_jobs (account, region, n);
CREATE INDEX import_jobs_due ON import_jobs (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX import_jobs_ended ON import_jobs (completed_at) WHERE completed_at IS NOT NULL;
