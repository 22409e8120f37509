-- Journal schema 2.

-- Items of loops that are too many to be kept in the run's own row. Write once.
CREATE TABLE kept (run INTEGER NOT NULL, address TEXT NOT NULL, items TEXT NOT NULL, PRIMARY KEY (run, address)) WITHOUT ROWID;
