"""What a lecturer needs: a server for a class (server.md)."""
