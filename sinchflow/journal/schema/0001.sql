-- Journal schema 1. Keys are integers from one ascending sequence over all tables, so that an id names one thing.
-- Times are milliseconds since 1970-01-01 UTC. `data` is JSON as model/codec.py writes it.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- Write once. `key` identifies repeats: 16 bytes of BLAKE2b over account, kind and the provider's id. It has no index
-- here: the keys of events up to meta's `seen_to` are in `seen`, those of later events in the daemon's memory.
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  key BLOB NOT NULL,
  data TEXT NOT NULL
);

CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID;

-- Accepted, not yet routed. A table of its own so that routing does not rewrite the event's row.
CREATE TABLE unrouted (event INTEGER PRIMARY KEY);

-- The YAML document that a run is pinned to.
CREATE TABLE flow_source (
  digest TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  line INTEGER NOT NULL,
  language INTEGER NOT NULL,
  source TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  flow TEXT NOT NULL,
  account TEXT NOT NULL,
  contact TEXT,
  started_at INTEGER NOT NULL,
  status TEXT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX run_open ON run (id) WHERE status = 'running';

CREATE TABLE send (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  account TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  due INTEGER,
  call INTEGER,
  message_id TEXT,
  reason TEXT,
  data TEXT NOT NULL
);
CREATE INDEX send_open ON send (id) WHERE is_open;

-- Calls to the provider, for the throttle. A start deletes those that no window can count any more.
CREATE TABLE call (id INTEGER PRIMARY KEY, account TEXT NOT NULL, started_at INTEGER NOT NULL);

-- Bodies that came with the right token and could not be read.
CREATE TABLE quarantine (
  id INTEGER PRIMARY KEY,
  received_at INTEGER NOT NULL,
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  body BLOB NOT NULL
);
