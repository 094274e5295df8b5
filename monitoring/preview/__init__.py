"""Draws the dashboards with their real queries where there is no Grafana: `python -m monitoring.preview`."""
