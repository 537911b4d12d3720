"""What we say about what the outside world said: reports, artifacts, exports."""
