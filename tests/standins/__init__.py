"""What stands in for the world: providers and other servers that do as they are told, or worse."""
