"""Reads a database again and again, as any application would, until its standard input ends.

    reader.py FILE LEAST_SECONDS MOST_SECONDS

Each look is one read transaction. It must see one step in all rows of `spread`, as many entries as steps, none missing
in between, and balances that come to 0; when it is held open for that long, the same at its end as at its
beginning; and never a lower step than the look before. A line on standard input is answered by one of JSON: what was seen
since the last. So is the end of the input.
"""

import json
import os
import random
import select
import sqlite3
import sys

path, least, most = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
LOOK = """
SELECT (SELECT min(step) FROM spread), (SELECT max(step) FROM spread), (SELECT sum(balance) FROM spread),
       (SELECT sum(length(pad)) FROM spread), count(*),
       (SELECT sum(high) FROM (SELECT max(n) AS high FROM entry GROUP BY writer)), total(length(token))
FROM entry"""
connection, identity, last = None, None, -1
seen = {}


def begin_report():
    seen.update(looks=0, torn=[], back=[], failed=[])


def note(kind, text):
    if len(seen[kind]) < 100:
        seen[kind].append(text)


def report():
    print(json.dumps(seen), flush=True)
    begin_report()


def tell(seconds):
    """Waits, and answers while it does. False when the input has ended."""
    while select.select([sys.stdin], [], [], seconds)[0]:
        if not sys.stdin.readline():
            return False
        report()
        seconds = 0
    return True


def is_whole(row):
    low, high, balance, pads, entries, numbers, tokens = row
    return low == high == entries == numbers and balance == 0 and pads == 30_000 and tokens == 16 * entries


def connected():
    global connection, identity
    status = os.stat(path)
    if (status.st_dev, status.st_ino) != identity:
        if connection:
            connection.close()
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=10)
        identity = (status.st_dev, status.st_ino)
    return connection


def look():
    """False when the input has ended."""
    global last
    database = connected()
    database.execute("BEGIN")
    goes_on = True
    try:
        row = database.execute(LOOK).fetchone()
        if most:
            goes_on = tell(random.uniform(least, most))
            again = database.execute(LOOK).fetchone()
            if again != row:
                note("torn", f"{row} became {again} within one transaction")
    finally:
        database.execute("COMMIT")
    if row[4] and not is_whole(row):
        note("torn", f"{row}")
    elif row[4]:
        if row[0] < last:
            note("back", f"{last} to {row[0]}")
        last = row[0]
    seen["looks"] += 1
    return goes_on


begin_report()
print("reading", flush=True)
while tell(0.02):
    try:
        if not look():
            break
    except (sqlite3.Error, OSError) as error:
        is_damage = any(word in str(error) for word in ("malformed", "not a database"))
        note("torn" if is_damage else "failed", str(error))
        connection, identity = None, None
report()
