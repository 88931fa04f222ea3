-- The audit log. Indexes end in (written_ms, gateway, sequence): newest first, within a range of time, is one scan.

CREATE TABLE audit_gateways (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE audit_records (
    gateway INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    written_ms INTEGER NOT NULL,
    hash BLOB NOT NULL,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    team TEXT,
    session TEXT,
    model TEXT,
    action TEXT,
    risk TEXT,
    body TEXT NOT NULL,
    sealed BLOB,
    -- With the time in it, the index alone tells which entries of a gateway are old.
    PRIMARY KEY (gateway, sequence, written_ms)
) STRICT;

CREATE INDEX audit_records_time ON audit_records (written_ms, gateway, sequence);
-- A team has many records: what else is asked of them is told from the index, without a look at each.
CREATE INDEX audit_records_team ON audit_records (team, written_ms, gateway, sequence, action, risk, model)
    WHERE team IS NOT NULL;
CREATE INDEX audit_records_session ON audit_records (session, written_ms, gateway, sequence) WHERE session IS NOT NULL;
CREATE INDEX audit_records_risk ON audit_records (risk, written_ms, gateway, sequence) WHERE risk IS NOT NULL;
-- Nearly every record is an exchange that was allowed: those are found by time as well.
CREATE INDEX audit_records_action ON audit_records (action, written_ms, gateway, sequence) WHERE action <> 'allow';
CREATE INDEX audit_records_kind ON audit_records (kind, written_ms, gateway, sequence) WHERE kind <> 'exchange';
CREATE INDEX audit_records_id ON audit_records (id, written_ms, gateway, sequence);

-- A row counts only where time and team are those of its record; whoever changes one of them takes the rule away.
CREATE TABLE audit_rules (
    rule TEXT NOT NULL,
    written_ms INTEGER NOT NULL,
    gateway INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    team TEXT,
    PRIMARY KEY (rule, written_ms, gateway, sequence)
) STRICT, WITHOUT ROWID;

CREATE INDEX audit_rules_record ON audit_rules (gateway, sequence);

CREATE TABLE audit_marks (
    gateway INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    hash TEXT NOT NULL,
    signed_ms INTEGER NOT NULL,
    key TEXT NOT NULL,
    signature TEXT NOT NULL
) STRICT;
