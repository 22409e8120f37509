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

-- Ended runs that went well and still have their trace, inputs and outputs, of those with ids up to meta's `traced_to`.
-- Later ones all have them. Filed in portions when there is time; `passed`: runs that had not ended, or had failed, when
-- the filing came to them.
CREATE TABLE traced (
  flow TEXT NOT NULL,
  status TEXT NOT NULL,
  run INTEGER NOT NULL,
  PRIMARY KEY (flow, status, run)
) WITHOUT ROWID;
CREATE TABLE passed (run INTEGER PRIMARY KEY);

-- Of a journal that was restored from a backup: open runs and events not routed, which wait for a person's word.
CREATE TABLE suspended (id INTEGER PRIMARY KEY);
