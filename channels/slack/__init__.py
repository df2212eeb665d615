"""Slack: direct messages in workspaces where the app lives, and Slack Connect elsewhere."""

from channels.slack.adapter import SlackChannel
from channels.slack.source import SOURCES

__all__ = ["SOURCES", "SlackChannel"]
