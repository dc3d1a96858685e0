-- What the platform tells devices, from the queue to its end. `command` is JSON without its secret, which is in `sealed`.
CREATE TABLE command(
    id {autoid},
    device {int} NOT NULL,
    state {text} NOT NULL,
    open {int} NOT NULL,
    kind {text} NOT NULL,
    command {text} NOT NULL,
    sealed {blob},
    author {text} NOT NULL,
    origin {text} NOT NULL,
    created {int} NOT NULL,
    deadline {int} NOT NULL,
    changed {int} NOT NULL,
    number {text},
    interruptions {int} NOT NULL,
    story {text} NOT NULL,
    result {text}
) {strict};
CREATE INDEX command_by_device ON command(device, id);
CREATE INDEX command_open ON command(open, id);
-- What the platform did for a device by itself, so that it does it once.
CREATE TABLE downlink_mark(
    device {int} NOT NULL,
    what {text} NOT NULL,
    value {text} NOT NULL,
    PRIMARY KEY(device, what)
) {strict};
