"""What `sinchflow init --with docker,systemd` writes: how a project runs on a server.

Unlike the files for other programs these lie in the project itself, wherever that is in its repository.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from shlex import quote

from sinchflow import __version__

DOCKERFILE = "Dockerfile"
UNIT = "sinchflow.service"

_SECRET = re.compile(r"\bsecrets\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*['\"]([A-Za-z_]\w*)['\"]\s*\])")
_COMMENT = re.compile(r"(?m)(?:^|[ \t])#.*$")

_DOCKERFILE = """\
# An image of this project with the daemon that runs it; see compose.yaml beside it.

FROM python:3.12 AS build

# What pip installs: a version, git+https://… with a tag, or ./NAME.whl, a wheel in this folder.
ARG SINCHFLOW=%(source)s

WORKDIR /build
COPY sinchflow.yaml *.whl ./
RUN python -m venv /opt/sinchflow && \\
    /opt/sinchflow/bin/pip install --no-cache-dir \\
    "${SINCHFLOW:?say in the Dockerfile where sinchflow comes from}"


FROM python:3.12-slim

COPY --from=build /opt/sinchflow /opt/sinchflow
ENV PATH=/opt/sinchflow/bin:$PATH

# A user by number: the files of the volume belong to the same one on every machine.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin sinchflow && \\
    install -d -o 10001 -g 10001 -m 0700 /var/lib/sinchflow

# The project stays root's: the daemon reads it and cannot change it.
WORKDIR /project
COPY . .
# The link lets commands find the daemon without --data: `docker compose exec sinchflow sinchflow status`.
RUN chmod -R a+rX . && ln -s /var/lib/sinchflow .sinchflow

USER 10001:10001

# An image whose flows have mistakes is not built.
RUN ["sinchflow", "validate", "--no-cache"]

# The journal: it must outlive the container.
VOLUME /var/lib/sinchflow

# Webhooks. Commands, health and metrics are on 8081, which only the container itself can reach.
EXPOSE 8080

# The daemon ends what it has begun, stores it, and goes.
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \\
    "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8081, timeout=4); c.request('GET', '/ready'); \\
sys.exit(c.getresponse().status != 200)"]

# No shell around it, so that the signal arrives.
CMD ["sinchflow", "run", "--host", "0.0.0.0", "--data", "/var/lib/sinchflow"]
"""

_IGNORED = """\
# What an image is built from, and nothing else: no secrets, no journal, no history.
# Where lists and calendars lie in other folders, name these, too.
*
!sinchflow.yaml
!signature-keys.json
!flows
!lists
!*.whl
"""

_COMPOSE = """\
# `docker compose up --build -d` builds the project into an image and runs it.

services:
  sinchflow:
    build: .
    # `TAG=2026-12-01 docker compose up --build -d` keeps images apart; the same without --build goes back to one.
    image: %(image)s:${TAG:-latest}

    # Passes signals on, also before the daemon takes them itself.
    init: true
    # What is under way may end: calls to Sinch, then what they brought is stored.
    stop_grace_period: 45s
    restart: unless-stopped

    # For the proxy with HTTPS on this machine.
    ports:
      - "127.0.0.1:8080:8080"

    volumes:
      - data:/var/lib/sinchflow
%(given)s
    # It writes into its volume and nowhere else, and has no rights to lose.
    read_only: true
    tmpfs:
      - /tmp
    cap_drop:
      - ALL
    security_opt:
      - no-new-privileges:true

    # The log is JSON lines; this keeps the last 100 MB of it.
    logging:
      driver: json-file
      options:
        max-size: 20m
        max-file: "5"

volumes:
  data:
%(secrets)s"""

_GIVEN = """
    # Each secret is a file; sinchflow reads this folder as it reads systemd's.
    environment:
      CREDENTIALS_DIRECTORY: /run/secrets
    secrets:
%s"""

_SECRETS = """
# Files that the user 10001 can read, mode 0444, in a folder that only root can enter, mode 0700.
secrets:
%s"""

_UNIT = """\
# The daemon as a service of systemd. Once, as root:
#   python3 -m venv /opt/sinchflow-%(version)s && ln -sfn sinchflow-%(version)s /opt/sinchflow
#   /opt/sinchflow/bin/pip install %(source)s
#   git clone YOUR-PROJECT %(root)s
#   install -d -m 0700 /etc/sinchflow     # and each secret below as a file in it
#   cp %(root)s/sinchflow.service /etc/systemd/system/ && systemctl daemon-reload
#   systemctl enable --now sinchflow

[Unit]
Description=sinchflow: answers text messages
Documentation=man:systemd.exec(5)
# Sinch is asked for things at the start.
Wants=network-online.target
After=network-online.target
# However often it failed: an outage of an hour must not end the service for good.
StartLimitIntervalSec=0

[Service]
# The daemon says when it is ready, and what it is at: `systemctl status sinchflow`.
Type=notify
NotifyAccess=main
WorkingDirectory=%(root)s
ExecStart=/opt/sinchflow/bin/sinchflow run --host 127.0.0.1 --port 8080 --admin-port 8081 --data %%S/sinchflow
# Reads flows and settings again; those with mistakes are refused, and the status says why.
# From systemd 253 on, Type=notify-reload without this line makes `systemctl reload` wait for the end of it.
ExecReload=/bin/sh -c "kill -HUP $MAINPID"

# Not after 2 and 3, wrong usage and what keeps it from starting: trying again does not mend them.
Restart=on-failure
RestartSec=5s
RestartPreventExitStatus=2 3
# The daemon gives a sign of life twice in this time; one that hangs is restarted, and its stack is in the log.
WatchdogSec=60s
Environment=PYTHONFAULTHANDLER=1
# The journal of an earlier release is upgraded before it is ready; a big one takes minutes.
TimeoutStartSec=15min
# What is under way may end: calls to Sinch, then what they brought is stored.
TimeoutStopSec=45s

# A user that exists only while the service runs; the journal is in /var/lib/sinchflow, which is his.
DynamicUser=yes
StateDirectory=sinchflow
StateDirectoryMode=0700
UMask=0077
# Secrets: read by root before the start, seen by nobody else, never in the environment.
%(secrets)s
# A core would hold messages and secrets.
LimitCORE=0
# One for each connection; 1024 is the default.
LimitNOFILE=16384

# Files: all is read-only but /var/lib/sinchflow and a /tmp of its own; home directories are not there.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
# Devices: none but /dev/null and its like.
PrivateDevices=yes
DevicePolicy=closed
# Rights: none, and no way to any.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateUsers=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes
# The kernel and the machine: not to be changed, and other processes not to be seen. (ProcSubset=pid would take away
# /proc/stat, too, and with it the process_… metrics.)
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
LockPersonality=yes
RestrictRealtime=yes
KeyringMode=private
RemoveIPC=yes
# No memory is written and then executed: neither Python nor the libraries here make code.
MemoryDenyWriteExecute=yes
# The network, and AF_UNIX, by which the daemon talks to systemd.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
# What services usually ask of the kernel, without what changes limits or users; else EPERM.
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def secret_names(sources: Iterable[str]) -> list[str]:
    """The secrets that YAML files name outside of comments, sorted."""
    found = {match[1] or match[2] for text in sources for match in _SECRET.finditer(_COMMENT.sub("", text))}
    return sorted(found)


def docker_files(folder: str, source: str, name: str, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Path and text of each; folder: where the project is, with its slash; source: what pip installs, or empty."""
    given = _GIVEN % "".join(f"      - {each}\n" for each in secrets) if secrets else ""
    kept = (
        _SECRETS % "".join(f"  {each}:\n    file: ${{SECRETS:-/etc/sinchflow}}/{each}\n" for each in secrets)
        if secrets
        else ""
    )
    yield f"{folder}{DOCKERFILE}", _DOCKERFILE % {"source": json.dumps(source)}
    yield f"{folder}.dockerignore", _IGNORED
    yield f"{folder}compose.yaml", _COMPOSE % {"image": f"sinchflow-{name.lower()}", "given": given, "secrets": kept}


def systemd_files(folder: str, source: str, name: str, secrets: Sequence[str]) -> Iterator[tuple[str, str]]:
    """As `docker_files`."""
    loaded = "\n".join(f"LoadCredential={each}:/etc/sinchflow/{each}" for each in secrets)
    yield (
        f"{folder}{UNIT}",
        _UNIT
        % {
            "source": quote(source) if source else "PATH-TO-A-CLONE-OF-SINCHFLOW",
            "root": f"/srv/{name}",
            "version": __version__,
            "secrets": loaded or "#LoadCredential=NAME:/etc/sinchflow/NAME",
        },
    )


def safe_name(name: str) -> str:
    """A folder's name as paths, units and images take it."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "project"
