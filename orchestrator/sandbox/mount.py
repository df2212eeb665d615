"""Everything of the sandbox that the API serves: pages, and the providers behind them."""

from orchestrator.sandbox import (
    linkedin_api,
    linkedin_chats,
    linkedin_pages,
    linkedin_server,
    routes,
    slack_api,
    slack_pages,
    slack_server,
)

# Pages first: none of their paths is one of a provider's.
ROUTERS = (
    routes.router,
    slack_pages.router,
    slack_server.router,
    slack_api.router,
    linkedin_pages.router,
    linkedin_server.router,
    linkedin_chats.router,
    linkedin_api.router,
)
