"""`python -m classroom.load_test`: what a class does to the server, asked of it on this machine, and the report."""
