"""Hashing takes as long for nobody as for somebody."""

import time

from workers.auth import password


def test_an_unknown_address_takes_as_long_as_a_wrong_password() -> None:
    """Both are one comparison; the fastest of each, for a machine under load slows any of them."""
    password.prepare()
    kept = password.hashed("correct horse")
    times: dict[str | None, list[float]] = {kept: [], None: []}
    for _ in range(7):
        for known, took in times.items():
            began = time.thread_time()
            assert not password.matches(known, "wrong horse")
            took.append(time.thread_time() - began)
    slow, fast = sorted((min(times[kept]), min(times[None])), reverse=True)
    assert slow < 1.5 * fast
