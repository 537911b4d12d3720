"""What the outside world said: connectors, connections, sync runs and the locker."""
