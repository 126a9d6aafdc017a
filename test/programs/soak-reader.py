"""Reads databases as applications do, in short and in long transactions, one database after the other.

    soak-reader.py LONG_SECONDS FILE...

Each read must find the sum of all accounts unchanged, and a long transaction must see the same at its end as at its
beginning. Prints "reading" after the first round; ends with its standard input, with the number of its reads; with exit
code 1 and the reason when a promise broke.
"""

import select
import sqlite3
import sys

SUM = 500 * 1000
SHORT_READS = 20

long_seconds, paths = float(sys.argv[1]), sys.argv[2:]
connections = {
    path: sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=60) for path in paths
}
reads = 0


def look(path):
    global reads
    reads += 1
    total, count = connections[path].execute("SELECT sum(amount), count(*) FROM account").fetchone()
    if total != SUM or count != 500:
        sys.exit(f"{path}: {count} accounts with {total}")
    return connections[path].execute("SELECT max(id), count(*) FROM event").fetchone()


def ends_within(seconds):
    return bool(select.select([sys.stdin], [], [], seconds)[0])


ended = False
while not ended:
    for path in paths:
        for _ in range(SHORT_READS):
            look(path)
            ended = ended or ends_within(0.02)
        connections[path].execute("BEGIN")
        before = look(path)
        ended = ended or ends_within(long_seconds)
        if look(path) != before:
            sys.exit(f"{path}: a transaction saw {before}, then something else")
        connections[path].execute("COMMIT")
        if ended:
            break
    print("reading", flush=True)
print(reads, flush=True)
