"""Reads a database again and again, as any application would, until its standard input ends.

Each commit sets all rows of `spread` (over many pages) to the same n, one higher than before. Every read must see one n
in all rows, and never a lower one than the read before. Prints what it saw as JSON; exit code 1 when a promise broke.
"""
import json, select, sqlite3, sys

connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None, timeout=10)
reads, last, states = 0, -1, 0


def finish(problem=None):
    print(json.dumps({"reads": reads, "last": last, "states": states, "problem": problem}), flush=True)
    sys.exit(0 if problem is None else 1)


while True:
    # The last read begins after the input has ended: it sees all that was committed before.
    is_last = select.select([sys.stdin], [], [], 0.001)[0]
    try:
        row = connection.execute("SELECT min(n), max(n), count(*), sum(length(pad)) FROM spread").fetchone()
    except sqlite3.Error as error:
        finish(f"read failed: {error}")
    if row[0] != row[1] or row[2] != 200 or row[3] != 200 * 300:
        finish(f"torn read: {row}")
    if row[0] < last and "may-step-back" not in sys.argv:
        finish(f"step back: {last} to {row[0]}")
    states += row[0] != last
    last = row[0]
    reads += 1
    if reads == 1:
        print("reading", flush=True)
    if is_last:
        finish()
