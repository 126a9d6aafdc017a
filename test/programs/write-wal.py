"""Writes a real SQLite database with a WAL, and copies database, -wal and -shm aside while the connection is open.

    write-wal.py FOLDER PAGE_SIZE ROWS little|big

With "big", the WAL is first rewritten with big-endian checksums, as a big-endian host would have left it; SQLite
recovers it, and goes on writing in that byte order. The program prints what it knows to be true, as one JSON line.
"""

import json
import os
import sqlite3
import struct
import subprocess
import sys

folder, page_size, rows, order = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
path = os.path.join(folder, "app.db")


def connect():
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA wal_autocheckpoint=0")
    return connection


def checksum(data, seed):
    s1, s2 = seed
    words = struct.unpack(">%dI" % (len(data) // 4), data)
    for i in range(0, len(words), 2):
        s1 = (s1 + words[i] + s2) & 0xFFFFFFFF
        s2 = (s2 + words[i + 1] + s1) & 0xFFFFFFFF
    return s1, s2


def to_big_endian(wal):
    out = bytearray(wal)
    struct.pack_into(">I", out, 0, 0x377F0683)
    running = checksum(bytes(out[0:24]), (0, 0))
    struct.pack_into(">II", out, 24, *running)
    for at in range(32, len(out), 24 + page_size):
        running = checksum(bytes(out[at : at + 8]), running)
        running = checksum(bytes(out[at + 24 : at + 24 + page_size]), running)
        struct.pack_into(">II", out, at + 16, *running)
    return bytes(out)


def write(connection, first, count):
    payload = page_size * 2 // 3  # so that each row takes a page of its own
    for start in range(first, first + count, 100):
        connection.execute("BEGIN")
        for n in range(start, min(start + 100, first + count)):
            connection.execute("INSERT INTO t VALUES (?, zeroblob(?))", (n, payload))
        # A page written before comes again: the newest frame of it is the one that counts.
        connection.execute("UPDATE t SET v = randomblob(?) WHERE k = ?", (payload, start))
        connection.execute("COMMIT")


connection = connect()
connection.execute("PRAGMA page_size=%d" % page_size)
connection.execute("PRAGMA journal_mode=WAL")
connection.execute("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)")
write(connection, 0, rows)

if order == "big":
    for suffix in ("", "-wal"):
        subprocess.run(["cp", path + suffix, os.path.join(folder, "kept" + suffix)], check=True)
    connection.close()
    with open(os.path.join(folder, "kept-wal"), "rb") as kept:
        rewritten = to_big_endian(kept.read())
    subprocess.run(["cp", os.path.join(folder, "kept"), path], check=True)
    with open(path + "-wal", "wb") as wal:
        wal.write(rewritten)
    connection = connect()
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == rows, "SQLite did not accept the WAL"
    write(connection, rows, 100)
    rows += 100

# An uncommitted tail: frames past what is committed, which nobody may read as commits. A savepoint's spill makes them.
connection.execute("PRAGMA cache_size=1")
connection.execute("PRAGMA cache_spill=1")
pages = connection.execute("PRAGMA page_count").fetchone()[0]
connection.execute("BEGIN")
for n in range(rows, rows + 60):
    connection.execute("INSERT INTO t VALUES (?, randomblob(?))", (n, page_size * 2 // 3))
for suffix in ("", "-wal", "-shm"):
    subprocess.run(["cp", path + suffix, os.path.join(folder, "copy" + suffix)], check=True)
connection.execute("ROLLBACK")
print(json.dumps({"rows": rows, "pageCount": pages}), flush=True)
connection.close()
