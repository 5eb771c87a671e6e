"""What the bodies of requests may be."""
