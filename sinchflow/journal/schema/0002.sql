-- Journal schema 2: people, suppression, schedules, items of long loops, and what forgetting somebody needs.

-- `data`: what flows remember, a JSON object; NULL is nothing.
CREATE TABLE contact (
  number TEXT PRIMARY KEY,
  data TEXT,
  language TEXT,
  timezone TEXT,
  last_inbound_at INTEGER,
  updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- `number`: E.164, or for somebody who was forgotten `#` and a hash of the number keyed with meta's `salt`.
CREATE TABLE suppression (
  number TEXT PRIMARY KEY,
  since INTEGER NOT NULL,
  source TEXT NOT NULL,
  reason TEXT NOT NULL
) WITHOUT ROWID;

-- The last tick that each schedule has had; `trigger`: its index among the flow's triggers.
CREATE TABLE tick (
  flow TEXT NOT NULL,
  "trigger" INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (flow, "trigger")
) WITHOUT ROWID;

-- What each webhook call that can be repeated was answered: `key` as in `event`; NULL: it began no run, for `reason`.
CREATE TABLE answer (key BLOB PRIMARY KEY, run INTEGER, reason TEXT) WITHOUT ROWID;

-- Items of loops that are too many to be kept in the run's own row. Write once.
CREATE TABLE kept (run INTEGER NOT NULL, address TEXT NOT NULL, items TEXT NOT NULL, PRIMARY KEY (run, address)) WITHOUT ROWID;

-- The runs of each contact with ids up to meta's `filed_to`; later ones are found in `run` itself. Filed in sorted
-- portions when there is time: an index on `run` would double the bytes that a run costs.
CREATE TABLE run_of (contact TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (contact, run)) WITHOUT ROWID;
INSERT INTO run_of SELECT contact, id FROM run WHERE contact IS NOT NULL ORDER BY contact, id;
INSERT INTO meta SELECT 'filed_to', coalesce(max(id), 0) FROM run;

INSERT INTO meta VALUES ('salt', lower(hex(randomblob(32))));

-- Schema 1 was written without `secure_delete`, so that former versions of rows may stand in unused parts of the file.
-- The first forgetting rewrites such a file as a whole.
INSERT INTO meta SELECT 'remnants', 'schema 1' WHERE EXISTS (SELECT 1 FROM event) OR EXISTS (SELECT 1 FROM run);
