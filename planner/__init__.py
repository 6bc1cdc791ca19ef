"""Pipeline specs in, physical plans out. Pure: no I/O, no data, no threads."""
