"""The events of providers that send mail for others: delivered, bounced, complained, opened ..."""

from channels.base import EventSource

SOURCES: tuple[EventSource, ...] = ()
