"""An application that knows for certain what was acknowledged to it, also after its own kill -9.

    writer.py FILE JOURNAL ID COMMITS_PER_SECOND

Each commit changes all rows of `spread` (over many pages) in the same way, moves an amount between two of them, and
adds its number and a random token to `entry`. Only after COMMIT has returned, a line "NUMBER TOKEN" goes to the journal,
forced to disk. Now and then come a blob larger than a fragment of the log, and a VACUUM. Ends with its standard input;
prints "writing" first, and a line "error TEXT" for each error that it meets.
"""

import os
import random
import select
import sqlite3
import sys

path, journal_path, writer, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
journal = os.open(journal_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
connection = sqlite3.connect(path, isolation_level=None, timeout=30)
for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=100"):
    connection.execute(f"PRAGMA {pragma}")


def create():
    connection.execute("BEGIN IMMEDIATE")
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'spread'").fetchone():
        connection.execute("CREATE TABLE spread(id INTEGER PRIMARY KEY, step INT, balance INT, pad BLOB)")
        rows = ((i,) for i in range(100))
        connection.executemany("INSERT INTO spread VALUES (?, 0, 0, randomblob(300))", rows)
        connection.execute("CREATE TABLE entry(writer INT, n INT, token TEXT, PRIMARY KEY(writer, n)) WITHOUT ROWID")
        connection.execute("CREATE TABLE large(id INTEGER PRIMARY KEY, v BLOB)")
    connection.execute("COMMIT")


def last():
    return connection.execute("SELECT coalesce(max(n), 0) FROM entry WHERE writer = ?", (writer,)).fetchone()[0]


def commit(n, token):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE spread SET step = step + 1, pad = randomblob(300)")
    giver, taker = random.sample(range(100), 2)
    connection.execute("UPDATE spread SET balance = balance - ? WHERE id = ?", (n, giver))
    connection.execute("UPDATE spread SET balance = balance + ? WHERE id = ?", (n, taker))
    connection.execute("INSERT INTO entry VALUES (?, ?, ?)", (writer, n, token))
    if n % 60 == 15:
        connection.execute("INSERT INTO large(v) VALUES (randomblob(1500000))")
    if n % 60 == 45:
        connection.execute("DELETE FROM large")
    connection.execute("COMMIT")


create()
n = last()
print("writing", flush=True)
while not select.select([sys.stdin], [], [], random.expovariate(rate))[0]:
    token = os.urandom(8).hex()
    try:
        commit(n + 1, token)
        n += 1
        os.write(journal, f"{n} {token}\n".encode())
        os.fsync(journal)
        if n % 200 == 100:
            connection.execute("VACUUM")
    except sqlite3.Error as error:
        print(f"error {error}", flush=True)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        n = last()
connection.close()
