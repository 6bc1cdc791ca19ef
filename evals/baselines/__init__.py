"""Plain pandas and scikit-learn code of the workloads, as an agent would have written it."""
