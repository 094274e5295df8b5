"""The chart, rendered by `helm template`: defaults, every switch, every guard with its sentence."""
