"""Distributed training of one model: in step, by averaging, or by sharing thresholded updates."""
