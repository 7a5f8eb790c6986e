"""What a job is: states, errors, wire models, rows, and the store that owns every SQL statement."""
