"""What a plan means: one module for each question that a reviewer asks of it."""
