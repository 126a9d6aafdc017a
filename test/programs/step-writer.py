"""An application of its own, with its own SQLite, its own autocheckpoints, and no idea of Tailrace.

    step-writer.py FILE COMMITS_PER_SECOND

Makes the table `spread` (test/harness/watcher.ts) if it is missing, then raises n in all of its rows with each commit,
until its standard input ends. In between come a blob larger than a fragment of the log, and now and then a VACUUM.
Prints "writing", and at the end the last committed n as JSON.
"""

import json
import select
import sqlite3
import sys

path, rate = sys.argv[1], float(sys.argv[2])
connection = sqlite3.connect(path, isolation_level=None, timeout=30)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=OFF")
connection.execute("PRAGMA wal_autocheckpoint=100")
connection.execute("BEGIN IMMEDIATE")
if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'spread'").fetchone():
    connection.execute("CREATE TABLE spread(id INTEGER PRIMARY KEY, n INT, pad BLOB)")
    connection.executemany("INSERT INTO spread VALUES (?, 0, randomblob(300))", ((i,) for i in range(1, 201)))
connection.execute("CREATE TABLE IF NOT EXISTS large(id INTEGER PRIMARY KEY, v BLOB)")
connection.execute("COMMIT")
print("writing", flush=True)

commits = 0
while not select.select([sys.stdin], [], [], 1 / rate)[0]:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE spread SET n = n + 1, pad = randomblob(300)")
    if commits % 50 == 10:
        connection.execute("INSERT INTO large(v) VALUES (randomblob(1500000))")
    if commits % 50 == 40:
        connection.execute("DELETE FROM large")
    connection.execute("COMMIT")
    if commits % 100 == 60:
        connection.execute("VACUUM")
    commits += 1
print(json.dumps({"n": connection.execute("SELECT n FROM spread").fetchone()[0]}), flush=True)
connection.close()
