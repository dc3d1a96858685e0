-- Life of an alert after it was raised: to whom it was given, silences, and what people were told of it.
ALTER TABLE alert ADD COLUMN assignee {int};
CREATE INDEX alert_assignee ON alert(assignee, id);
CREATE TABLE silence(
    id {int} NOT NULL PRIMARY KEY, rule {text} NOT NULL, class {text} NOT NULL, subject {int}, device {int}, grid {int},
    from_at {int} NOT NULL, until_at {int} NOT NULL, reason {text} NOT NULL, user_id {int} NOT NULL, user_name {text} NOT NULL,
    created {int} NOT NULL, ended_by {text}
) {strict};
CREATE INDEX silence_until ON silence(until_at);
-- What happened to alerts and was not yet looked at for notification; written with the change itself.
CREATE TABLE notice(
    seq {int} NOT NULL PRIMARY KEY, alert {int} NOT NULL, what {text} NOT NULL, at {int} NOT NULL, severity {text} NOT NULL
) {strict};
-- The fold of the notices: an alert as notification sees it.
CREATE TABLE notify_alert(
    alert {int} NOT NULL PRIMARY KEY, rule {text} NOT NULL, subject {int} NOT NULL, device {int} NOT NULL, severity {text} NOT NULL,
    at {int} NOT NULL, is_open {int} NOT NULL, is_seen {int} NOT NULL, held_by {text} NOT NULL, held_until {int}
) {strict};
CREATE INDEX notify_alert_held ON notify_alert(held_by);
CREATE INDEX notify_alert_until ON notify_alert(held_until);
CREATE INDEX notify_alert_open ON notify_alert(is_open, rule);
CREATE TABLE notify_channel(
    id {int} NOT NULL PRIMARY KEY, version {int} NOT NULL, name {text} NOT NULL UNIQUE, kind {text} NOT NULL, enabled {int} NOT NULL,
    settings {text} NOT NULL, secret {blob} NOT NULL, shown {text} NOT NULL, changed {int} NOT NULL
) {strict};
CREATE TABLE notify_policy(
    version {int} NOT NULL PRIMARY KEY, at {int} NOT NULL, author {text} NOT NULL, policy {text} NOT NULL
) {strict};
CREATE TABLE notify_group(
    id {int} NOT NULL PRIMARY KEY, route {text} NOT NULL, channel {int} NOT NULL, group_key {text} NOT NULL, due {int}, flushed {int},
    UNIQUE(route, channel, group_key)
) {strict};
CREATE INDEX notify_group_due ON notify_group(due);
CREATE TABLE notify_member(group_id {int} NOT NULL, alert {int} NOT NULL, PRIMARY KEY(group_id, alert)) {strict};
CREATE INDEX notify_member_alert ON notify_member(alert);
CREATE TABLE escalation(
    alert {int} NOT NULL, policy {text} NOT NULL, step {int} NOT NULL, due {int} NOT NULL, PRIMARY KEY(alert, policy)
) {strict};
CREATE INDEX escalation_due ON escalation(due);
-- The outbox and the log of deliveries.
CREATE TABLE delivery(
    id {int} NOT NULL PRIMARY KEY, idempotency_key {text} NOT NULL UNIQUE, channel {int} NOT NULL, route {text} NOT NULL, kind {text} NOT NULL,
    state {text} NOT NULL, reason {text} NOT NULL, made {int} NOT NULL, due {int} NOT NULL, expires {int} NOT NULL, attempts {int} NOT NULL,
    maybe {int} NOT NULL, tried {int}, done {int}, message {text}
) {strict};
CREATE INDEX delivery_state ON delivery(state, channel, id);
CREATE INDEX delivery_channel ON delivery(channel, id);
CREATE TABLE delivery_alert(delivery {int} NOT NULL, alert {int} NOT NULL, PRIMARY KEY(delivery, alert)) {strict};
CREATE INDEX delivery_alert_alert ON delivery_alert(alert, delivery);
INSERT INTO case_counter(name, value) VALUES ('silence', 0), ('notice', 0), ('channel', 0), ('group', 0), ('delivery', 0);
