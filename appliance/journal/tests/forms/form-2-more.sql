-- What form 2 has more, and a journal of it is form 1, this, and rows of runs.
ALTER TABLE enrollment ADD COLUMN receipt TEXT;
UPDATE enrollment SET receipt = '-';
UPDATE enrollment SET receipt = '7:5070bee722114750ac5c638065475f31531a2c23beb35befaf87a7ef1ba55861' WHERE id = '000000000000000000000001';
UPDATE enrollment SET receipt = NULL WHERE id = '000000000000000000000008';
CREATE INDEX enrollment_owed ON enrollment (number) WHERE receipt IS NULL;
CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL UNIQUE,
    plan        TEXT NOT NULL,
    state       TEXT NOT NULL,
    operator    TEXT,
    begun_ms    INTEGER NOT NULL,
    active_ms   INTEGER NOT NULL
) STRICT;
CREATE TABLE run_key (
    run         INTEGER NOT NULL REFERENCES run (id),
    family      TEXT NOT NULL,
    key_number  INTEGER NOT NULL,
    standing    TEXT NOT NULL,
    code        INTEGER,
    line        INTEGER,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (run, family, key_number)
) STRICT, WITHOUT ROWID;
INSERT INTO run VALUES
 (1, 'drawer', '{"name":"drawer","target":{"count":5},"overwrite_confirmed":false}', 'finished', 'ada', 1795279000000, 61000),
 (2, 'endless', '{"name":"endless","target":"endless","profile":"desk","overwrite_confirmed":true}', 'stopped', NULL, 1795279000001, 0),
 (3, 'list', '{"name":"list","target":{"list":[{"key":"12345678","person":["alice","office"]},{"key":null,"person":null,"random_pin":true}]},"overwrite_confirmed":false}', 'paused', 'ada', 1795279000002, 5),
 (4, 'now', '{"name":"now","target":{"count":1},"overwrite_confirmed":false}', 'running', 'ada', 1795279000003, 0);
INSERT INTO run_key VALUES
 (1, 'yubikey', 12345678, 'done', NULL, NULL, 1795279095123),
 (1, 'nitrokey-pro', 21845, 'quarantined', 1009, NULL, 1795279095124),
 (1, 'yubikey', 10, 'refused', 1005, NULL, 1795279095125),
 (3, 'nitrokey3', 3735928559, 'claimed', NULL, 1, 1795279095126);
PRAGMA user_version = 2;
