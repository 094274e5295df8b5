"""What notebooks and programs call."""
