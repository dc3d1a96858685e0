"""The peer of `benches/peer.rs`: a mean of ten minutes per subject above a limit for five minutes, in Bytewax.

Two ways: its own sliding windows of event time, and a hand-written state per key, which is faster and knows no late data.
Prints one line of JSON: records, seconds of the flow alone, alerts.
"""

import json
import sys
import time
from collections import deque
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
import bytewax.operators.windowing as window
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, run_main

LIMIT = 2.0
START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


def value(subject, minute):
    high = subject % 3 == 0 and subject % 20 + 15 <= minute < subject % 20 + 45
    return (3.0 if high else 1.0) + (subject * 31 + minute * 17) % 100 / 1000


def records(subjects, minutes):
    return [
        (str(subject), (START + minute * MINUTE, value(subject, minute)))
        for minute in range(minutes)
        for subject in range(1, subjects + 1)
    ]


class Held:
    """Above the limit since when, and whether that was told."""

    def __init__(self):
        self.since = None
        self.told = False

    def step(self, at, mean):
        if mean <= LIMIT:
            self.since, self.told = None, False
            return False
        if self.since is None:
            self.since = at
        if self.told or at - self.since < 5 * MINUTE:
            return False
        self.told = True
        return True


def by_windows(flow, stream):
    clock = window.EventClock(ts_getter=lambda reading: reading[0], wait_for_system_duration=timedelta(0))
    windower = window.SlidingWindower(length=10 * MINUTE, offset=MINUTE, align_to=START)

    def add(sum_count, reading):
        return (sum_count[0] + reading[1], sum_count[1] + 1)

    def merge(one, other):
        return (one[0] + other[0], one[1] + other[1])

    folded = window.fold_window("mean", stream, clock, windower, lambda: (0.0, 0), add, merge)

    def hold(state, numbered):
        state = state or Held()
        number, (total, count) = numbered
        fired = count == 10 and state.step(START + (number + 9) * MINUTE, total / count)
        return state, fired

    return op.stateful_map("hold", folded.down, hold)


def by_hand(flow, stream):
    def step(state, reading):
        if state is None:
            state = (deque(maxlen=10), Held())
        readings, held = state
        readings.append(reading[1])
        fired = len(readings) == 10 and held.step(reading[0], sum(readings) / 10)
        return state, fired

    return op.stateful_map("step", stream, step)


def main(way, subjects, minutes):
    told = []
    flow = Dataflow("peer")
    source = records(subjects, minutes)
    stream = op.input("in", flow, TestingSource(source, batch_size=1000))
    fired = (by_windows if way == "windows" else by_hand)(flow, stream)
    op.output("out", op.filter("told", fired, lambda keyed: keyed[1]), TestingSink(told))
    began = time.perf_counter()
    run_main(flow)
    seconds = time.perf_counter() - began
    print(json.dumps({"records": len(source), "seconds": seconds, "alerts": len(told)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
