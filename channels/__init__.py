"""Channels talk to the world and know nothing of the orchestrator."""
