"""Mode threshold: workers share those parts of their updates that are above a threshold."""
