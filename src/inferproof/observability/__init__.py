"""What a gateway tells its operator about itself: logs, traces, error reports."""
