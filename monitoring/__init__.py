"""What Prometheus and Grafana are given: dashboards, rules and runbooks."""
