"""Everything that touches Spark: sessions, broadcasts and the jobs that hold slots."""
