"""A hyperparameter sweep: what to try next, who runs it, and a record that loses nothing."""
