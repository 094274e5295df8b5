"""Mode synchronous: all workers take each step together."""
