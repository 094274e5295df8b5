"""The executor's side of modes synchronous and threshold: an agent, and a process that trains for each attempt."""
