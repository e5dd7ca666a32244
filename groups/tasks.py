"""Groups have no work outside of requests: a message stands in the group when the answer goes out."""
