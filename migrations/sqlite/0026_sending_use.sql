-- How many recipients accounts with limits have had: never less than it was, so that as long as a number is below its
-- limit nothing has to be counted. Whoever counts and then sends holds the row.
CREATE TABLE sending_use (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    last_day BIGINT NOT NULL,           -- in the last 24 hours, or more
    last_second BIGINT NOT NULL,        -- in the last second, or more
    PRIMARY KEY (account, region)
);
