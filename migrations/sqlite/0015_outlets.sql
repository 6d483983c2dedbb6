-- The ways out of topics: throttles, streams, text messages, apps on devices.

-- How many messages a subscription with a throttle policy has had in its window of one second.
CREATE TABLE throttles (
    subscription TEXT NOT NULL PRIMARY KEY,
    window_at BIGINT NOT NULL,          -- when the window began
    used BIGINT NOT NULL
);
CREATE INDEX throttles_by_age ON throttles (window_at);

-- Attempts are trimmed to the newest ones of each subscription.
CREATE INDEX delivery_attempts_in_order ON delivery_attempts (subscription, id);

-- How often an address was asked to confirm something, in its window.
CREATE TABLE asked_addresses (
    address TEXT NOT NULL PRIMARY KEY,
    window_at BIGINT NOT NULL,
    asked BIGINT NOT NULL
);
CREATE INDEX asked_addresses_by_age ON asked_addresses (window_at);

-- Records of delivery streams. Each stays until the object that it is written into is durable.
CREATE TABLE stream_records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,               -- the ARN
    batch BIGINT NOT NULL,              -- 0 until its object has a name
    size BIGINT NOT NULL,               -- bytes of data
    data TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
-- Cutting batches looks at what has none; writing reads one batch in order.
CREATE INDEX stream_records_by_batch ON stream_records (batch, stream, id);

-- Objects that are to be written: the key is fixed here, so that writing twice overwrites.
CREATE TABLE stream_batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    object_key TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,            -- when it is tried next
    created_at BIGINT NOT NULL
);
CREATE INDEX stream_batches_by_time ON stream_batches (next_at);
CREATE INDEX stream_batches_by_stream ON stream_batches (stream);

-- An account's settings of text messages in a region.
CREATE TABLE sms_settings (
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    attributes TEXT NOT NULL,           -- JSON object
    PRIMARY KEY (account, region)
);

-- Phone numbers that want no messages of an account.
CREATE TABLE sms_opted_out (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    phone TEXT NOT NULL,
    opted_out BIGINT NOT NULL,          -- 1 while it wants none
    opted_in_at BIGINT,                 -- when OptInPhoneNumber last took it back
    UNIQUE (account, region, phone)
);

-- Phone numbers that an account in the sandbox may send to.
CREATE TABLE sms_sandbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    phone TEXT NOT NULL,
    verified BIGINT NOT NULL,
    code_hash TEXT,                     -- of the one-time password that was sent
    code_expires_at BIGINT,
    tries BIGINT NOT NULL,              -- wrong passwords since it was sent
    created_at BIGINT NOT NULL,
    UNIQUE (account, region, phone)
);

-- Apps, and the devices that have them.
CREATE TABLE platform_applications (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    platform TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,           -- JSON object, without the credential
    created_at BIGINT NOT NULL,
    UNIQUE (account, region, platform, name)
);
CREATE TABLE platform_endpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id BIGINT NOT NULL REFERENCES platform_applications (id) ON DELETE CASCADE,
    uuid TEXT NOT NULL UNIQUE,          -- the last part of its ARN
    token TEXT NOT NULL,                -- the device
    attributes TEXT NOT NULL,           -- JSON object: CustomUserData, Enabled
    created_at BIGINT NOT NULL,
    UNIQUE (application_id, token)
);
CREATE INDEX platform_endpoints_by_application ON platform_endpoints (application_id, id);
