"""Builds the image, measures it and pushes it: `python -m images`."""
