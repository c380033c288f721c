"""How messages travel between services; knows no business word."""
