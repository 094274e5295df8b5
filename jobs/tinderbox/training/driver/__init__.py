"""The driver's side of modes synchronous and threshold: who is there, which attempt runs, what is kept."""
