"""The dashboards as code: `python -m monitoring.generate` writes monitoring/dashboards."""
