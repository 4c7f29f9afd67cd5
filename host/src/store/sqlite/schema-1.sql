-- `seq` is the part of the id that ascends, so that an event is found by its id without an index. What arrives is one row
-- here and nothing else: the tables below follow when something happens to it.
CREATE TABLE event (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL,
    app         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    origin      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    dedupe      TEXT,
    -- What its deliveries are in order with; nothing if NULL.
    key         TEXT,
    -- The plugins that get it, in order, with commas between.
    plugins     TEXT NOT NULL,
    -- Over all other columns.
    sum         INTEGER NOT NULL,
    raw         TEXT NOT NULL
) STRICT;

-- What became of a delivery. One without a row is pending and was never attempted.
CREATE TABLE delivery (
    seq         INTEGER NOT NULL,
    plugin      TEXT NOT NULL,
    -- Of one that a person gave to a plugin that its event does not name: what it is in order with. Otherwise NULL.
    key         TEXT,
    state       TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    -- Attempts among them that do not count, because DingTalk was to blame.
    spared      INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    reason      TEXT,
    finished_at INTEGER,
    -- Over the event's id, plugin and key.
    sum         INTEGER NOT NULL,
    PRIMARY KEY (seq, plugin)
) STRICT, WITHOUT ROWID;

-- Used by queries that repeat its condition word for word.
CREATE INDEX delivery_open ON delivery (state, seq) WHERE state <> 'done';

-- What a start need not find out by reading events, in one row: of the events up to `upto`, only those in `unborn` (8 bytes
-- each, big-endian) can have a delivery without a row. `secret` goes into the fingerprints below.
CREATE TABLE mark (
    id     INTEGER PRIMARY KEY CHECK (id = 0),
    upto   INTEGER NOT NULL,
    unborn BLOB NOT NULL,
    secret BLOB NOT NULL,
    -- Over upto and unborn.
    sum    INTEGER NOT NULL
) STRICT;

-- The dedupe keys of the events from `first` to `last`, as pairs of a fingerprint (6 bytes) and `seq` (8 bytes). They are
-- kept in memory, where an arrival is looked up; an index on them would change a page somewhere for every event.
CREATE TABLE known (
    id    INTEGER PRIMARY KEY,
    first INTEGER NOT NULL,
    last  INTEGER NOT NULL,
    pairs BLOB NOT NULL,
    -- Over secret, first, last and pairs.
    sum   INTEGER NOT NULL
) STRICT;

-- A time at which a plugin wants an event. `revision` counts the changes, so that what was read is fired only unchanged.
CREATE TABLE timer (
    plugin    TEXT NOT NULL,
    name      TEXT NOT NULL,
    app       TEXT NOT NULL,
    due_at    INTEGER NOT NULL,
    pattern   TEXT,
    time_zone TEXT,
    missed    TEXT NOT NULL,
    payload   TEXT NOT NULL,
    revision  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (plugin, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX timer_due ON timer (plugin, due_at);

-- The host calls of deliveries. `event` has the bytes of the event's id. A row without a fate is a call that was begun
-- and whose end nobody knows; one with number 0 begins a run and is no call. A call may stand for one of an earlier run.
CREATE TABLE effect (
    event            BLOB NOT NULL,
    plugin           TEXT NOT NULL,
    run              INTEGER NOT NULL,
    number           INTEGER NOT NULL,
    function         TEXT NOT NULL,
    digest           BLOB NOT NULL,
    arguments_sha256 BLOB NOT NULL,
    arguments        TEXT,
    for_run          INTEGER,
    for_number       INTEGER,
    started_at       INTEGER NOT NULL,
    fate             TEXT,
    answer           TEXT,
    diverged         TEXT,
    PRIMARY KEY (event, plugin, run, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE kv (
    plugin TEXT NOT NULL,
    key    TEXT NOT NULL,
    value  BLOB NOT NULL,
    PRIMARY KEY (plugin, key)
) STRICT, WITHOUT ROWID;

-- What each plugin's values take, kept by triggers so that a write need not add them up.
CREATE TABLE kv_usage (
    plugin TEXT PRIMARY KEY,
    bytes  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER kv_inserted AFTER INSERT ON kv BEGIN
    INSERT INTO kv_usage VALUES (new.plugin, length(CAST(new.key AS BLOB)) + length(new.value))
    ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER kv_updated AFTER UPDATE ON kv BEGIN
    UPDATE kv_usage SET bytes = bytes + length(new.value) - length(old.value) WHERE plugin = new.plugin;
END;
CREATE TRIGGER kv_deleted AFTER DELETE ON kv BEGIN
    UPDATE kv_usage SET bytes = bytes - length(CAST(old.key AS BLOB)) - length(old.value) WHERE plugin = old.plugin;
END;

-- One row that readiness checks write, to know that the disk takes writes.
CREATE TABLE probe (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    at INTEGER NOT NULL
) STRICT;
