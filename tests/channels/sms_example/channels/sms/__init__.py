"""Text messages, by a gateway that speaks HTTP."""

from channels.sms.adapter import SmsChannel
from channels.sms.source import SOURCES

__all__ = ["SOURCES", "SmsChannel"]
