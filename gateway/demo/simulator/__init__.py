"""A simulated partner on a real TLS socket, which misbehaves as it is told (user-asks 6.8)."""
