"""SQL only: one function a query, takes a connection, never commits."""
