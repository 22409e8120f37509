-- Journal schema 3: what routing had to say, what people did, and settings of the daemon that outlive it.

-- What routing had to say of an event besides the runs that it began: a JSON object. Write once.
CREATE TABLE note (event INTEGER PRIMARY KEY, data TEXT NOT NULL);

-- What operators did to the daemon: `pause`, `resume`, `resolve`, `retry`, `cancel`, …; `subject` is an id or a name.
CREATE TABLE act (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  what TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL
);

-- The daemon's own settings that outlive it, such as the switch that stops all sends. NULL is none.
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;

-- Runs that failed, for those who look after the daemon.
CREATE INDEX run_failed ON run (id) WHERE status = 'failed';
