"""Why a server refused, told from what servers are known to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.rules.mail.refusals import classify

SAID = {
    "hard": """
550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. Learn more at https://support.google.com/mail/?p=NoSuchUser x - gsmtp
550 5.2.1 The email account that you tried to reach is disabled. Learn more at https://support.google.com/mail/?p=DisabledUser
550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ola@acme.example not found by SMTP address lookup
550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [VE1EUR01FT024.eop-EUR01.prod.protection.outlook.com]
550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
554 delivery error: dd This user doesn't have a yahoo.com account (ola@yahoo.example) [0]
552 1 Requested mail action aborted, mailbox not found
550 5.1.1 <ola@acme.example>: Recipient address rejected: User unknown in virtual mailbox table
550 5.1.1 <ola@acme.example>: Recipient address rejected: User unknown in relay recipient table
550 5.1.1 <ola@acme.example>... User unknown
550 No such user here
550 Unrouteable address
550-Unrouteable address 550 The account ola does not exist here
550 5.1.1 Mailbox does not exist
550 Invalid recipient <ola@acme.example> (Mode: normal)
550 ola@acme.example User not known
550 sorry, no mailbox here by that name. (#5.7.17)
511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
550 #5.1.0 Address rejected.
550 5.1.1 unknown or illegal alias: ola@acme.example
550 5.1.6 Recipient no longer on server
551 5.1.6 User has moved
550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416
550 Mailbox nicht vorhanden; Empfänger unbekannt
Host or domain name not found. Name service error for name=acme.example type=A: Host not found
unable to look up host acme.example: Name or service not known (nxdomain)
Name service error for name=acme.example type=MX: Malformed; Domain acme.example does not accept mail (nullMX)
556 5.1.10 Domain does not accept mail (NULL MX)
550 5.1.2 Bad destination host 'DNS Hard Error looking up acme.example (MX): NXDomain'
all relevant MX records point to non-existent hosts
550 5.1.1 sid=nosuchuser Recipient rejected: user has left
550 5.2.1 Mailbox disabled for this recipient
550 5.2.1 This account has been deactivated
554 5.7.1 ola@acme.example: account closed
550 5.7.1 recipient's account is suspended
550 5.0.0 User (ola@acme.example) is no longer with the company
550 Requested action not taken: user has been deleted
550 Mailbox unavailable or access denied - <ola@acme.example>; no such recipient
450 is not the code, but 550 5.1.1 address unknown
550 5.1.1 RCP-P1 Recipient address does not exist
550 message to <ola@acme.example> was rejected: not listed in Domino Directory
User ola (ola@acme.example) not listed in Domino Directory
550 5.1.351 Remote server returned unknown recipient or mailbox unavailable
smtp; 5.1.1 - Bad destination mailbox address 'recipient unknown' (delivery attempts: 0)
550 non-existent account ola
550 Account blocked or does not exist: no such mailbox
550 Ukjent bruker
550 Mottakeren finnes ikke
550 5.1.1 Пользователь не найден
""",
    "mailbox_full": """
552-5.2.2 The email account that you tried to reach is over quota. Please direct 552-5.2.2 the recipient to https://support.google.com/mail/?p=OverQuotaPerm
452-4.2.2 The recipient's inbox is out of storage space. Please direct the recipient to https://support.google.com/mail/?p=OverQuotaTemp
550 5.2.2 Mailbox full
554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException; Failed to process message due to a permanent exception with message Cannot open mailbox.
552 5.2.2 <ola@acme.example>: Recipient address rejected: Quota exceeded (mailbox for user is full)
452 4.2.2 <ola@acme.example> Mailbox is full / Blocks limit exceeded
552 Message would exceed quota for <ola@acme.example>
550 User has exceeded the storage quota
450 4.2.2 user is overquota
552 RCPT TO:<ola@acme.example> Mailbox disk quota exceeded
retry timeout exceeded: mailbox is full: quota exceeded
554 delivery error: dd Requested mail action aborted: exceeded storage allocation - mta
422 4.2.2 The recipient has exceeded their mailbox limit
550 Mailbox size limit exceeded
552 5.7.0 Not enough space on the user's disk quota
x-unix; /var/mail/ola: Disk quota exceeded
550 5.1.1 mailbox for ola@acme.example exceeded the limit of its storage
452 Insufficient disk space in mailbox; try again later
Das Postfach des Empfängers ist voll
La boite du destinataire est pleine
Postkassen er full
""",
    "policy": """
550 5.7.1 Unfortunately, messages from [203.0.113.9] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors.
550-5.7.26 This message does not have authentication information or fails to pass authentication checks (SPF or DKIM).
550-5.7.26 Unauthenticated email from acme.example is not accepted due to domain's DMARC policy.
550-5.7.1 [203.0.113.9] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.
554 5.7.1 Service unavailable; Client host [203.0.113.9] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/203.0.113.9
554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes
553 5.7.2 [TSS09] All messages from 203.0.113.9 will be permanently deferred; Retrying will NOT succeed.
550 5.7.606 Access denied, banned sending IP [203.0.113.9]
550 5.7.509 Access denied, sending domain acme.example does not pass DMARC verification
550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy
550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required
550 5.7.124 Sender not in allowed-senders list
550 5.7.1 RESOLVER.RST.AuthRequired; authentication required [Stage: CreateMessage]
554 5.7.1 <ola@acme.example>: Relay access denied
550 relay not permitted
550-Sender verify failed
550 5.1.8 <kari@sender.example>: Sender address rejected: Domain not found
550 5.7.23 <ola@acme.example>: Recipient address rejected: Message rejected due to: SPF fail - not authorized.
550 Requested action not taken: mailbox unavailable Reject due to policy restrictions. For explanation visit https://postmaster.gmx.net/en/error-messages
554-gmx.net (mxgmx116) Nemesis ESMTP Service not available 554 No SMTP service 554 IP address is block listed.
554 Message refused. Your message was classified as SPAM.
550 5.7.1 Message contains spam or virus. (e)
571 Delivery not authorized, message refused
550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550
550 Rejected by header based manually Blocked Senders: kari@sender.example - https://community.mimecast.com
550 5.7.0 Local Policy Violation - x - https://community.mimecast.com
550 Email rejected due to security policies - MCSpamSignature.x.x
554 5.7.1 blocked by mailfilter rules
550 5.7.1 Connections not accepted from servers without a valid sender domain. Fix reverse DNS for 203.0.113.9
550 High probability of spam
554 mail server permanently rejected message (#5.3.0) - blocked attachment
521 5.2.1 : (DYN:T1) https://postmaster.aol.example/error-codes#554rtrbb blocked
554 5.7.1 [P4] Message blocked due to spam content in the message.
550 5.7.1 Command rejected: your host has a poor reputation
550 permanent failure for one or more recipients (ola@acme.example:blocked)
550 spamcop: listed at bl.spamcop.net
552 5.7.0 This message was blocked because its content presents a potential security issue.
554 5.7.1 The message from (<kari@sender.example>) with the subject of (Hello) matches a profile the Internet community may consider spam. Please revise your message before resending.
550 This message was blocked: virus found
550 5.7.515 Access denied, sending domain sender.example doesn't meet the required authentication level.
""",
    "transient": """
451 4.7.1 Greylisting in action, please come back later
450 4.2.0 <ola@acme.example>: Recipient address rejected: Greylisted, see http://postgrey.example/help
421 4.7.0 Try again later, closing connection.
421 4.3.2 Service not available, closing transmission channel; too many concurrent connections
450 4.7.1 Client host: try again later
connect to mx.acme.example[203.0.113.5]:25: Connection timed out
connect to mx.acme.example[203.0.113.5]:25: Connection refused
conversation with mx.acme.example timed out while receiving the initial server greeting
lost connection with mx.acme.example while sending RCPT TO
550 5.4.300 Message expired -> 421 4.4.0 Remote server closed connection
550 4.4.7 QUEUE.Expired; message expired
554 5.4.7 [internal] exceeded max time without delivery
retry time not reached for any host after a long failure period
all hosts for 'acme.example' have been failing for a long time (and retry time not reached)
451 4.3.0 Temporary lookup failure
450-4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered.
452 4.3.1 Insufficient system storage
451 Temporary local problem - please try later
The recipient server did not accept our requests to connect.
4.4.1 No route to host
delivery temporarily suspended: connect to mx.acme.example: Network is unreachable
""",
    "other": """
552 5.3.4 Message size exceeds fixed maximum message size
552 5.2.3 Message exceeds maximum fixed size (20480000)
550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
554 5.4.6 Hop count exceeded - possible mail loop
554 5.4.14 Too many hops
mail for acme.example loops back to myself
550 5.0.0 something unheard of
""",
}  # fmt: skip
TABLE = [(name, line) for name, lines in SAID.items() for line in lines.strip().splitlines()]


@pytest.mark.parametrize(("name", "said"), TABLE)
def test_what_servers_say(name: str, said: str) -> None:
    assert classify(None, said)[0] == name


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("5.1.1", "hard"), ("5.1.2", "hard"), ("5.1.3", "hard"), ("5.1.6", "hard"),
        ("5.1.10", "hard"), ("5.2.1", "hard"), ("5.4.4", "hard"), ("5.2.2", "mailbox_full"),
        ("4.2.2", "mailbox_full"), ("5.7.1", "policy"), ("5.7.26", "policy"), ("5.1.8", "policy"),
        ("5.6.0", "policy"), ("4.7.1", "policy"), ("4.4.1", "transient"), ("4.4.7", "transient"),
        ("5.4.7", "transient"), ("4.0.0", "transient"), ("5.3.4", "other"), ("5.4.6", "other"),
        ("5.5.2", "other"), ("5.0.0", "other"), (None, "other"),
    ],
)  # fmt: skip
def test_codes_decide_where_words_are_silent(status: str | None, name: str) -> None:
    assert classify(status, "")[0] == name


def test_a_host_an_address_or_a_link_is_not_a_reason() -> None:
    said = "host spam.blocked.example[203.0.113.1] said: 550 <full@quota.example> User unknown"
    assert classify("5.1.1", f"{said} https://quota.example/mailbox-full")[0] == "hard"


def test_words_that_a_later_attempt_may_mend_are_not_hard() -> None:
    assert classify("4.1.1", "450 4.1.1 User unknown")[0] == "transient"


@given(status=st.none() | st.text(max_size=12), said=st.text(max_size=300))
def test_any_words_have_a_class(status: str | None, said: str) -> None:
    name, why = classify(status, said, said)
    assert name in SAID
    assert why
