CREATE TABLE chunk(
    device {int} NOT NULL, kind {int} NOT NULL, hour {int} NOT NULL, first_seq {int} NOT NULL, last_seq {int} NOT NULL,
    row_count {int} NOT NULL, body {blob} NOT NULL,
    PRIMARY KEY(device, kind, hour, first_seq)
) {strict};
CREATE INDEX chunk_by_seq ON chunk(last_seq);
CREATE TABLE chunk_newest(device {int} NOT NULL, kind {int} NOT NULL, at {int} NOT NULL, PRIMARY KEY(device, kind)) {strict};
CREATE TABLE foreign_quantity(number {int} NOT NULL PRIMARY KEY, code {text} NOT NULL UNIQUE, device {int} NOT NULL) {strict};
CREATE TABLE loss(
    device {int} NOT NULL, day {int} NOT NULL,
    frames {int} NOT NULL, frames_without_record {int} NOT NULL, records {int} NOT NULL,
    stored {int} NOT NULL, revised {int} NOT NULL, duplicate {int} NOT NULL,
    q0 {int} NOT NULL, q1 {int} NOT NULL, q2 {int} NOT NULL, q3 {int} NOT NULL, q4 {int} NOT NULL,
    q5 {int} NOT NULL, q6 {int} NOT NULL, q7 {int} NOT NULL, q8 {int} NOT NULL,
    PRIMARY KEY(device, day)
) {strict};
CREATE TABLE quarantine(
    seq {int} NOT NULL, frame {int} NOT NULL, ordinal {int} NOT NULL, device {int} NOT NULL, channel {int} NOT NULL,
    received {int} NOT NULL, reason {int} NOT NULL, place {text} NOT NULL, rederived {int} NOT NULL,
    PRIMARY KEY(seq, frame, ordinal)
) {strict};
CREATE INDEX quarantine_by_device ON quarantine(device, frame);
CREATE TABLE settle_cursor(journal_partition {int} NOT NULL PRIMARY KEY, seq {int} NOT NULL, carry {blob} NOT NULL) {strict};
