"""Another writer: takes a database's write lock and writes nothing, until its standard input ends.

    hold-write-lock.py FILE

Prints "locked" once it has it.
"""

import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.execute("COMMIT")
connection.close()
