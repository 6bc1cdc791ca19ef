"""The systems under comparison: one module each, run in processes of their own."""
