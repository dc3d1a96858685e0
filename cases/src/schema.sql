CREATE TABLE alert(
    id {int} NOT NULL PRIMARY KEY, seq {int} NOT NULL UNIQUE, state {text} NOT NULL,
    rule {text} NOT NULL, rule_version {int} NOT NULL, rule_name_zh {text} NOT NULL, rule_name_en {text} NOT NULL, demo {int} NOT NULL,
    class {text} NOT NULL, subject {int} NOT NULL, subject_name {text} NOT NULL, device {int} NOT NULL, grid {int}, office {int},
    case_id {int}, raised {int} NOT NULL, changed {int} NOT NULL, acknowledged_by {int}, acknowledged_at {int},
    episode {text} NOT NULL, details {text} NOT NULL
) {strict};
CREATE INDEX alert_state ON alert(state, id);
CREATE INDEX alert_subject ON alert(subject, id);
CREATE INDEX alert_case ON alert(case_id);
CREATE TABLE alert_history(
    alert {int} NOT NULL, number {int} NOT NULL, at {int} NOT NULL, user_id {int}, user_name {text} NOT NULL,
    what {text} NOT NULL, note {text} NOT NULL, PRIMARY KEY(alert, number)
) {strict};
CREATE TABLE case_file(
    id {int} NOT NULL PRIMARY KEY, number {text} NOT NULL UNIQUE, version {int} NOT NULL, state {text} NOT NULL, source {text} NOT NULL,
    category {text} NOT NULL, category_name {text} NOT NULL, is_local_extension {int} NOT NULL, severity {text} NOT NULL, demo {int} NOT NULL,
    rule {text} NOT NULL, rule_version {int} NOT NULL, subject {int} NOT NULL, subject_name {text} NOT NULL, grid {int}, office {int},
    opened {int} NOT NULL, happened {int} NOT NULL, review_due {int} NOT NULL, closed {int}, changed {int} NOT NULL, episodes {int} NOT NULL
) {strict};
CREATE INDEX case_file_subject ON case_file(subject, rule);
CREATE INDEX case_file_state ON case_file(state, id);
CREATE TABLE case_history(
    case_id {int} NOT NULL, number {int} NOT NULL, at {int} NOT NULL, user_id {int}, user_name {text} NOT NULL, what {text} NOT NULL,
    wanted {text}, from_state {text}, to_state {text}, office {int}, reason {text} NOT NULL, note {text} NOT NULL, episode {int},
    PRIMARY KEY(case_id, number)
) {strict};
CREATE TABLE case_move_key(
    case_id {int} NOT NULL, idempotency_key {text} NOT NULL, number {int} NOT NULL, PRIMARY KEY(case_id, idempotency_key)
) {strict};
CREATE TABLE case_episode(episode {int} NOT NULL PRIMARY KEY, case_id {int} NOT NULL) {strict};
CREATE INDEX case_episode_case ON case_episode(case_id);
CREATE TABLE evidence(
    case_id {int} NOT NULL, partition_number {int} NOT NULL, seq {int} NOT NULL, episode {int} NOT NULL, sha256 {text} NOT NULL,
    bytes {int} NOT NULL, received {int}, channel {text} NOT NULL, pinned {int} NOT NULL, raw {blob} NOT NULL,
    PRIMARY KEY(case_id, partition_number, seq)
) {strict};
CREATE TABLE rule_day(
    rule {text} NOT NULL, day {int} NOT NULL, opened {int} NOT NULL, capped {int} NOT NULL, PRIMARY KEY(rule, day)
) {strict};
CREATE TABLE rule_state(
    partition_number {int} NOT NULL, rule {text} NOT NULL, subject {int} NOT NULL, device {int} NOT NULL, state {blob} NOT NULL,
    PRIMARY KEY(partition_number, rule, subject, device)
) {strict};
CREATE TABLE judge_cursor(
    partition_number {int} NOT NULL PRIMARY KEY, state_seq {int} NOT NULL, effect_seq {int} NOT NULL
) {strict};
CREATE TABLE case_counter(name {text} NOT NULL PRIMARY KEY, value {int} NOT NULL) {strict};
INSERT INTO case_counter(name, value) VALUES ('alert_seq', 0), ('case', 0);
