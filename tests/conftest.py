from __future__ import annotations

from hypothesis import HealthCheck, settings

# The machine may be busy: how long an example takes says nothing.
_patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("patient", **_patient)  # type: ignore[arg-type]
settings.register_profile("thorough", max_examples=5000, **_patient)  # type: ignore[arg-type]
settings.load_profile("patient")
