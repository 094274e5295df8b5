"""HTTP between driver and executors, for all kinds of jobs: who may speak, how it is served, and how it is repeated."""
