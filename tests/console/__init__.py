"""The console, over a real database."""
