"""Reading mail: pure functions of bytes."""
