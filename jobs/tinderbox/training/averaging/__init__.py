"""Mode averaging: rounds of Spark stages, whose state is the driver's."""
