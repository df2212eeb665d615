"""The console: where sales ops live. Pages for people who are signed in, by role."""

from orchestrator.console.router import make_router

__all__ = ["make_router"]
