-- Gaps and clocks of a device (-1: our own outages) and local day: minutes with data, first clock samples of half hours.
CREATE TABLE loss_watch(
    device {int} NOT NULL, day {int} NOT NULL, minutes {blob} NOT NULL, slots {blob} NOT NULL,
    live {int} NOT NULL, low {int} NOT NULL, high {int} NOT NULL, has_data {int} NOT NULL,
    PRIMARY KEY(device, day)
) {strict};
