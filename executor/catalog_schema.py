"""The tables of the catalog, as the list of migrations that make them.

Output: `MIGRATIONS`; entry i takes a file from schema version i to i + 1. Entries are never
changed once released, only added to. Columns that are filtered or sorted by are typed; all
else is JSON text.
"""

_TERMINAL = "('completed', 'failed', 'cancelled', 'timeout', 'interrupted')"

_FIRST = (
    """
    CREATE TABLE datasets (
        workspace TEXT NOT NULL, name TEXT NOT NULL, fingerprint TEXT NOT NULL,
        rows INTEGER NOT NULL, schema TEXT NOT NULL, source TEXT NOT NULL, bytes INTEGER NOT NULL,
        options TEXT NOT NULL, source_size INTEGER NOT NULL, source_mtime_ns INTEGER NOT NULL,
        created REAL NOT NULL,
        PRIMARY KEY (workspace, name)
    )
    """,
    """
    CREATE TABLE jobs (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        workspace TEXT NOT NULL, kind TEXT NOT NULL, session TEXT NOT NULL,
        state TEXT NOT NULL, request TEXT NOT NULL, total INTEGER NOT NULL,
        error TEXT, result TEXT, pid INTEGER NOT NULL, pid_started REAL NOT NULL,
        created REAL NOT NULL, started REAL, finished REAL
    )
    """,
    "CREATE INDEX jobs_by_state ON jobs (state)",
    f"""
    CREATE TRIGGER terminal_states_last BEFORE UPDATE ON jobs
    WHEN old.state IN {_TERMINAL} AND (new.state <> old.state OR new.id <> old.id)
    BEGIN SELECT raise(ABORT, 'a terminal job state never changes'); END
    """,
    """
    CREATE TABLE evaluations (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,
        workspace TEXT NOT NULL, job TEXT NOT NULL, position INTEGER NOT NULL,
        name TEXT NOT NULL, spec TEXT NOT NULL, identity TEXT NOT NULL, status TEXT NOT NULL,
        dataset TEXT NOT NULL, target TEXT NOT NULL, metric TEXT NOT NULL,
        direction TEXT NOT NULL, metrics TEXT NOT NULL, seconds REAL, fit_seconds REAL,
        reused_seconds REAL, warnings TEXT NOT NULL, error TEXT, settings TEXT NOT NULL,
        comparable TEXT NOT NULL, created REAL NOT NULL,
        UNIQUE (job, position)
    )
    """,
    "CREATE INDEX evaluations_by_name ON evaluations (workspace, name)",
    # Lower ranks are better in either direction; a score that is no number ranks last.
    """
    CREATE TABLE ranks (
        evaluation INTEGER NOT NULL REFERENCES evaluations (sequence),
        metric TEXT NOT NULL, direction TEXT NOT NULL, identity TEXT NOT NULL, rank REAL NOT NULL,
        PRIMARY KEY (evaluation, metric)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX ranks_by_metric ON ranks (metric, rank)",
    "CREATE INDEX evaluations_by_id ON evaluations (id, sequence)",
    "CREATE INDEX ranks_by_identity ON ranks (identity, metric, evaluation)",
    """
    CREATE TABLE scores (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        folds BLOB NOT NULL, seconds REAL, warnings TEXT, extra TEXT, created REAL NOT NULL
    )
    """,
    """
    CREATE TABLE failures (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, code TEXT NOT NULL,
        message TEXT NOT NULL, hint TEXT NOT NULL, seconds REAL, created REAL NOT NULL
    )
    """,
    """
    CREATE TABLE requests (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        payload TEXT NOT NULL, created REAL NOT NULL
    )
    """,
    """
    CREATE TABLE timings (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, op TEXT NOT NULL, backend TEXT NOT NULL,
        rows INTEGER NOT NULL, columns INTEGER NOT NULL, threads INTEGER NOT NULL,
        seconds REAL NOT NULL
    )
    """,
)

# Timings with what they are of; nothing had written the table before.
_TIMINGS = (
    "DROP TABLE timings",
    """
    CREATE TABLE timings (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, backend TEXT NOT NULL,
        threads INTEGER NOT NULL, rows INTEGER NOT NULL, columns INTEGER NOT NULL,
        rounds REAL NOT NULL, seconds REAL NOT NULL, expected REAL NOT NULL, base REAL NOT NULL,
        model INTEGER NOT NULL, created REAL NOT NULL
    )
    """,
    """
    CREATE TABLE extents (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE,
        rows INTEGER NOT NULL, columns INTEGER NOT NULL, stored REAL NOT NULL
    )
    """,
)

_LOOKS = (
    """
    CREATE TABLE looks (
        holdout TEXT NOT NULL, pipeline TEXT NOT NULL, created REAL NOT NULL,
        PRIMARY KEY (holdout, pipeline)
    ) WITHOUT ROWID
    """,
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _TIMINGS, _LOOKS)
SCHEMA_VERSION = len(MIGRATIONS)
