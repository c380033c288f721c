"""The local stack: private copies of the servers and the Procfile, under supervision."""
