"""The events of providers that send mail for others: delivered, bounced, complained, opened ..."""

from channels.base import EventSource
from channels.email.sources.mailgun import Mailgun
from channels.email.sources.postmark import Postmark
from channels.email.sources.resend import Resend
from channels.email.sources.sendgrid import SendGrid
from channels.email.sources.ses import Ses

SOURCES: tuple[EventSource, ...] = (SendGrid(), Mailgun(), Postmark(), Ses(), Resend())
