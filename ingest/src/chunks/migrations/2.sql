-- A tenth reason of quarantine: doubtful.
ALTER TABLE loss ADD COLUMN q9 {int} NOT NULL DEFAULT 0;
