"""The prospect's pages and the tracking tokens: no login, no cookies, no JavaScript."""

from orchestrator.pages.router import make_router

__all__ = ["make_router"]
