-- A journal of form 1, as the first release wrote it.
CREATE TABLE enrollment (
    number      INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    state       TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    family      TEXT NOT NULL,
    key_number  INTEGER NOT NULL,
    slot        INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    remains     TEXT NOT NULL,
    token       TEXT NOT NULL,
    profile     TEXT NOT NULL,
    user        TEXT,
    realm       TEXT,
    operator    TEXT,
    port        TEXT NOT NULL,
    reason      INTEGER
) STRICT;
CREATE INDEX enrollment_of_key ON enrollment (family, key_number);
CREATE INDEX enrollment_unfinished ON enrollment (state) WHERE state NOT IN ('done', 'undone');
INSERT INTO enrollment (id, state, at_ms, family, key_number, slot, kind, remains, token, profile, user, realm, operator, port, reason) VALUES
 ('000000000000000000000001', 'done', 1795279095123, 'yubikey', 12345678, 1, 'hotp', 'secret', 'UBOM12345678_1', 'desk', 'jörg', 'office', 'ada', '1-1.3', NULL),
 ('000000000000000000000002', 'undone', 1795279095124, 'nitrokey-pro', 21845, 0, 'totp', 'perhaps', 'NK00005555_T0', 'pro', NULL, NULL, NULL, '1-1.4', 1009),
 ('000000000000000000000003', 'planned', 1795279095125, 'nitrokey3', 3735928559, 1, 'hotp', 'nothing', 'NKDEADBEEF_1', 'three', NULL, NULL, NULL, '1-2', NULL),
 ('000000000000000000000004', 'registered', 1795279095126, 'yubikey', 4294967295, 2, 'yubico-otp', 'nothing', 'UBAM4294967295_2', 'desk', NULL, NULL, 'eve', '1-3', NULL),
 ('000000000000000000000005', 'written', 1795279095127, 'yubikey', 7, 1, 'static-password', 'perhaps', 'UBSM00000007_1', 'desk', NULL, NULL, 'eve', '1-3', NULL),
 ('000000000000000000000006', 'proven', 1795279095128, 'yubikey', 8, 1, 'challenge-response', 'secret', 'UBOM00000008_1', 'desk', 'alice', 'office', 'eve', '1-3', NULL),
 ('000000000000000000000007', 'undoing', 1795279095129, 'yubikey', 9, 1, 'hotp', 'secret', 'UBOM00000009_1', 'desk', NULL, NULL, 'eve', '1-3', 4004),
 ('000000000000000000000008', 'undone', 1795279095130, 'yubikey', 10, 1, 'hotp', 'nothing', 'UBOM00000010_1', 'desk', NULL, NULL, 'eve', '1-3', 9999);
PRAGMA user_version = 1;
