"""What the engine costs, as ratios measured in one run: `make bench`, or `python -m tests.bench PART ...`."""
