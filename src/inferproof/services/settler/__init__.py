"""The settler: takes the money of reserved jobs, and gives back that of failed ones."""
