"""Accounts, drafts and certificates for channel tests."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from channels.base import Account, Channel, Draft, OutboundMessage
from orchestrator.ids import uuid7

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def account(port: int, secrets: dict[str, str] | None = None, **settings: Any) -> Account:
    """An account at a sink on loopback, with short patience."""
    values: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "security": "plain_without_encryption",
        "connect_timeout": 0.4,
        "command_timeout": 0.4,
        "data_timeout": 0.4,
    }
    return Account(
        uuid7(), "kari", "kari@sender.example", "Kari Nordmann", values | settings, secrets or {}
    )


def draft(**values: Any) -> Draft:
    """A first message."""
    made: dict[str, Any] = {
        "message_id": UUID(int=7),
        "recipient": "ola@prospect.example",
        "recipient_name": "Ola Hansen",
        "subject": "Bilag på papir?",
        "text": "Hei Ola.\n\n.En linje med punktum\n",
        "html": "<p>Hei Ola.</p>",
        "rfc_message_id": "<seven@sender.example>",
        "date": NOW,
        "language": "nb",
    }
    return Draft(**made | values)


def message(channel: Channel, sender: Account, **values: Any) -> OutboundMessage:
    """A frozen message."""
    said = draft(**values)
    payload = channel.freeze(sender, said)
    return OutboundMessage(said.message_id, said.recipient, payload, str(said.message_id))


def passing(answer: bool = True) -> tuple[Callable[[], Awaitable[bool]], list[int]]:
    """A point of no return that says `answer`, and the list that counts how often it was asked."""
    asked: list[int] = []

    async def pass_point() -> bool:
        asked.append(1)
        return answer

    return pass_point, asked


def certificate(folder: Path, name: str = "localhost") -> tuple[Path, Path]:
    """A self-signed certificate for loopback: (PEM of certificate, PEM with the key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "cert.pem", folder / "both.pem"
    pem = made.public_bytes(serialization.Encoding.PEM)
    public.write_bytes(pem)
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + pem
    )
    return public, private
