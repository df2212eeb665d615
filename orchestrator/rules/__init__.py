"""Decisions: pure functions of values. No await, no session, no clock, no random."""
