"""A steady application with its own SQLite and no idea of Tailrace.

    soak-writer.py FILE COMMITS_PER_SECOND

Moves amounts between accounts, whose sum never changes, and keeps a list of the newest events, so that the database keeps
its size. Prints "writing"; ends with its standard input, with the number of its commits.
"""

import random
import select
import sqlite3
import sys

ACCOUNTS = 500
EVENTS = 6000

path, rate = sys.argv[1], float(sys.argv[2])
connection = sqlite3.connect(path, isolation_level=None, timeout=60)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("PRAGMA synchronous=NORMAL")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE account(id INTEGER PRIMARY KEY, amount INT, pad BLOB)")
connection.execute("CREATE TABLE event(id INTEGER PRIMARY KEY, account INT, v BLOB)")
connection.execute("CREATE INDEX event_by_account ON event(account)")
connection.executemany("INSERT INTO account VALUES (?, 1000, randomblob(200))", ((i,) for i in range(ACCOUNTS)))
connection.executemany("INSERT INTO event VALUES (?, ?, randomblob(1500))", ((i, i % ACCOUNTS) for i in range(EVENTS)))
connection.execute("COMMIT")
print("writing", flush=True)

commits = 0
while not select.select([sys.stdin], [], [], 1 / rate)[0]:
    payer, payee = random.sample(range(ACCOUNTS), 2)
    amount = random.randrange(100)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE account SET amount = amount - ? WHERE id = ?", (amount, payer))
    connection.execute("UPDATE account SET amount = amount + ? WHERE id = ?", (amount, payee))
    connection.execute("INSERT INTO event VALUES (?, ?, randomblob(1500))", (EVENTS + commits, payer))
    connection.execute("DELETE FROM event WHERE id <= ?", (commits,))
    connection.execute("COMMIT")
    commits += 1
print(commits, flush=True)
connection.close()
