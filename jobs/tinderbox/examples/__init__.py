"""User code that ships with the package: functions a job file can name as they are."""
