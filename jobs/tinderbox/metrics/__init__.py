"""What Prometheus is told: every metric's name, how values get from workers to their pod's exporter, and that one."""
