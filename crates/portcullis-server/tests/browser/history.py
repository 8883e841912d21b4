"""Writes a month of calls into the database of a server that is there to be photographed.

python3 history.py <database> <business id> <user id> <key id>...
"""

import math
import random
import sqlite3
import sys
import time

database, business, user, *keys = sys.argv[1:]
random.seed(7)
hour = int(time.time()) // 3600
store = sqlite3.connect(database, timeout=20)


def counted(volume):
    """Valid, invalid key, user disabled, permission denied, rate limited, business disabled: of about so many calls."""
    volume = max(0, int(random.gauss(volume, volume / 6)))
    return [int(volume * share) for share in (0.955, 0.004, 0, 0.023, 0.016, 0)]


def add(table, subject, at, counts, *source):
    columns = "?, " * (2 + len(source) + len(counts))
    store.execute(f"INSERT OR REPLACE INTO {table} VALUES ({columns.rstrip(', ')})", [subject, at, *source, *counts])


for ago in range(1, 24 * 31):
    at = hour - ago
    # People work by day, and less at the end of the week.
    tide = 1.2 + math.sin((at % 24 - 8) / 24 * 2 * math.pi)
    tide *= 0.35 if (at // 24 + 4) % 7 in (0, 6) else 1
    total = [0] * 6
    for place, key in enumerate(keys):
        counts = counted(tide * 260 / (place + 1) ** 1.4)
        total = [sum(pair) for pair in zip(total, counts)]
        add("uses_by_hour", key, at, counts, 0)
        store.execute(
            "INSERT INTO uses_by_day VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject, day) DO UPDATE SET "
            + ", ".join(
                f"{name} = {name} + excluded.{name}"
                for name in "valid invalid_api_key user_disabled permission_denied rate_limited business_disabled".split()
            ),
            [key, at // 24, *counts],
        )
    for subject in (user, business):
        add("uses_by_hour", subject, at, total, 0)
        store.execute("INSERT OR IGNORE INTO uses_by_day VALUES (?, ?, 0, 0, 0, 0, 0, 0)", [subject, at // 24])
        store.execute(
            "UPDATE uses_by_day SET valid = valid + ?, invalid_api_key = invalid_api_key + ?, "
            "permission_denied = permission_denied + ?, rate_limited = rate_limited + ? WHERE subject = ? AND day = ?",
            [total[0], total[1], total[3], total[4], subject, at // 24],
        )
DAY_MILLIS = 86_400_000
for place, key in enumerate(keys):
    store.execute("UPDATE api_keys SET created_at = created_at - ? WHERE id = ?", [(17, 4, 38, 121, 66)[place % 5] * DAY_MILLIS, key])
store.commit()
