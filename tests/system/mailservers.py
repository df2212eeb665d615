"""Debian's Postfix and Dovecot as private instances on loopback ports of their own.

Nothing of the machine's own configuration is read or changed: both get a configuration directory,
a queue and spools under a temporary folder, and are taken down at the end. Needs root, as Postfix
does.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Whose absence notices are written in a language of their own; xx has left the company.
TONGUES = ("nb", "sv", "da", "fi", "en", "de", "fr", "es", "it", "nl", "pl", "pt", "xx")
USERS = (
    *("kari@sender.example", "ola@prospect.example", "away@prospect.example"),
    *(f"away-{tongue}@prospect.example" for tongue in TONGUES),
)
PASSWORD = "a-password-of-the-tests"


def available() -> bool:
    """Whether both servers are installed and may be started."""
    tools = ("postfix", "postconf", "dovecot")
    return os.geteuid() == 0 and all(shutil.which(tool, path=_path()) for tool in tools)


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class MailServers:
    """Where they answer, and where they keep the mail."""

    home: Path
    smtp: int
    imap: int
    lmtp: int

    def delivered(self, user: str) -> list[bytes]:
        """The mails in the inbox of `user`, oldest first."""
        name, domain = user.split("@")
        root = self.home / "mail" / domain / name / "Maildir"
        found = [*(root / "new").glob("*"), *(root / "cur").glob("*")]
        return [path.read_bytes() for path in sorted(found, key=lambda path: path.name)]

    def flags(self, user: str) -> list[str]:
        """The flags of the mails of `user`, as the maildir names carry them."""
        name, domain = user.split("@")
        root = self.home / "mail" / domain / name / "Maildir"
        return [path.name.partition(":2,")[2] for path in (root / "cur").glob("*")]

    def vacation(self, user: str, text: str, subject: str | None = None) -> None:
        """Turn the vacation responder of `user` on (RFC 5230).

        Pigeonhole answers no mail with a List- header, as RFC 5230, 4.6 lets it, and our outreach
        has one; Exchange and Gmail do answer. The script drops the headers first, so that a genuine
        responder answers a genuine mail.
        """
        name, domain = user.split("@")
        home = self.home / "mail" / domain / name
        home.mkdir(parents=True, exist_ok=True)
        titled = f' :subject "{subject}"' if subject else ""
        script = (
            'require ["vacation", "editheader"];\n'
            'deleteheader "List-Unsubscribe"; deleteheader "List-Unsubscribe-Post";\n'
            f'vacation :days 1 :addresses ["{user}"]{titled} "{text}";\n'
        )
        (home / ".dovecot.sieve").write_text(script)
        _own(self.home / "mail")


def _own(path: Path) -> None:
    user = pwd.getpwnam("mail")
    for one in (path, *path.rglob("*")):
        os.chown(one, user.pw_uid, user.pw_gid)


def _dovecot_conf(home: Path, imap: int, lmtp: int, smtp: int) -> str:
    return f"""
protocols = imap lmtp
listen = 127.0.0.1
base_dir = {home}/dovecot-run
state_dir = {home}/dovecot-state
log_path = {home}/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_username_format = %Lu
mail_location = maildir:~/Maildir
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
first_valid_gid = 1
submission_host = 127.0.0.1:{smtp}
postmaster_address = postmaster@prospect.example
hostname = mail.prospect.example
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {home}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {home}/users
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/.dovecot.sieve
  sieve_extensions = +editheader
  sieve_vacation_send_from_recipient = no
}}
"""


def _main_cf(home: Path, lmtp: int) -> str:
    # `gone` is taken at RCPT and refused by the delivery, which makes a genuine bounce.
    known = ", ".join(f"{{{user} = x}}" for user in (*USERS, "gone@prospect.example"))
    return f"""
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/postfix.log
maillog_file_prefixes = {home}
myhostname = mail.prospect.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = prospect.example, sender.example
virtual_mailbox_maps = inline:{{{known}}}
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
recipient_delimiter = +
default_transport = error:this server talks to loopback only
relay_transport = error:this server talks to loopback only
minimal_backoff_time = 1s
queue_run_delay = 1s
smtpd_tls_security_level = none
"""


MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
lmtp unix - - n - - lmtp
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
showq unix n - n - - showq
"""


@contextmanager
def mail_servers() -> Iterator[MailServers]:
    """Start both, and end both."""
    home = Path(tempfile.mkdtemp(prefix="avtale-mail-"))
    home.chmod(0o755)
    made = MailServers(home, free_port(), free_port(), free_port())
    for name in ("mail", "queue", "data", "postfix", "dovecot-run", "dovecot-state"):
        (home / name).mkdir(mode=0o755)
    shutil.chown(home / "data", "postfix")
    _own(home / "mail")
    lines = []
    for user in USERS:
        name, domain = user.split("@")
        lines.append(f"{user}:{{PLAIN}}{PASSWORD}:mail:mail::{home}/mail/{domain}/{name}::\n")
    (home / "users").write_text("".join(lines))
    (home / "dovecot.conf").write_text(_dovecot_conf(home, made.imap, made.lmtp, made.smtp))
    (home / "postfix" / "main.cf").write_text(_main_cf(home, made.lmtp))
    (home / "postfix" / "master.cf").write_text(MASTER.format(port=made.smtp))
    environment = os.environ | {"PATH": _path()}
    dovecot = subprocess.Popen(["dovecot", "-F", "-c", str(home / "dovecot.conf")], env=environment)
    try:
        _postfix(home, "start", environment)
        for port in (made.smtp, made.imap, made.lmtp):
            _await_port(port, home)
        yield made
    finally:
        _postfix(home, "abort", environment, check=False)
        dovecot.terminate()
        dovecot.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _postfix(home: Path, verb: str, env: dict[str, str], *, check: bool = True) -> None:
    done = subprocess.run(
        ["postfix", "-c", str(home / "postfix"), verb], env=env, capture_output=True, text=True
    )
    if check and done.returncode:
        raise RuntimeError(f"postfix {verb}: {done.stderr[-800:]}")


def _await_port(port: int, home: Path) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    logs = [path.read_text(errors="replace")[-1500:] for path in home.glob("*.log")]
    raise RuntimeError(f"nothing answers on port {port}: {logs}")
