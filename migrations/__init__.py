"""What each store must look like, one folder or file per store."""
