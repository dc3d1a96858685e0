CREATE TABLE revision(
    number {int} NOT NULL PRIMARY KEY,
    at {int} NOT NULL,
    author {text} NOT NULL,
    kind {text} NOT NULL,
    object_key {text} NOT NULL,
    object {text} NOT NULL,
    partition_no {int},
    seq {int}
) {strict};
CREATE INDEX revision_by_object ON revision(kind, object_key, number);
CREATE INDEX revision_by_seq ON revision(seq);
CREATE TABLE audit(
    id {autoid},
    at {int} NOT NULL,
    who {text} NOT NULL,
    origin {text} NOT NULL,
    what {text} NOT NULL,
    kind {text} NOT NULL,
    object_key {text} NOT NULL,
    old {text},
    new {text}
) {strict};
CREATE INDEX audit_by_object ON audit(kind, object_key, id);
CREATE INDEX audit_by_who ON audit(who, id);
CREATE TABLE person(
    id {autoid},
    login {text} NOT NULL UNIQUE,
    name {text} NOT NULL,
    role {text} NOT NULL,
    office {int},
    vendor {text} NOT NULL,
    active {int} NOT NULL,
    hash {text} NOT NULL,
    must_change {int} NOT NULL,
    failures {int} NOT NULL,
    locked_until {int} NOT NULL,
    created {int} NOT NULL
) {strict};
CREATE TABLE session(
    id {autoid},
    token {blob} NOT NULL UNIQUE,
    person {int} NOT NULL REFERENCES person(id),
    created {int} NOT NULL,
    seen {int} NOT NULL,
    expires {int} NOT NULL,
    origin {text} NOT NULL
) {strict};
CREATE INDEX session_by_person ON session(person);
CREATE TABLE credential(
    principal {int} NOT NULL PRIMARY KEY,
    version {int} NOT NULL,
    revoked {int} NOT NULL,
    hash {blob},
    sealed {blob},
    changed {int} NOT NULL
) {strict};
CREATE TABLE bridge(
    principal {autoid},
    name {text} NOT NULL UNIQUE,
    grants {text} NOT NULL,
    enabled {int} NOT NULL
) {strict};
