"""Batch inference: images in, rows out, and what is known of them all."""
