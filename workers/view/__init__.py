"""The view service: what the edge reads, built from what everybody says."""
