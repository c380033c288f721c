"""The settings, read once from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

OFFSET = 6


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to listen, whom to let in, where the webhooks go."""

    host: str
    port: int
    directory: Path
    api_key: str
    publishable_key: str
    webhook_secret: str
    webhook_url: str
    log_level: str

    @classmethod
    def read(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read them; KeyError names a missing secret, ValueError a port base that is no number."""
        base = int(env.get("FOYER_PORT_BASE") or 18000)
        return cls(
            host=env.get("STRIPE_STAND_IN_HOST") or "127.0.0.1",
            port=base + OFFSET,
            directory=Path(env.get("STRIPE_STAND_IN_DIR") or f".run/{base}/stripe"),
            api_key=env["STRIPE_API_KEY"],
            publishable_key=env["STRIPE_PUBLISHABLE_KEY"],
            webhook_secret=env["STRIPE_WEBHOOK_SECRET"],
            webhook_url=env.get("STRIPE_WEBHOOK_URL") or f"http://127.0.0.1:{base}/webhooks/stripe",
            log_level=(env.get("FOYER_LOG_LEVEL") or "info").upper(),
        )
