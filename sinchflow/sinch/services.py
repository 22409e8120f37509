"""The services that share this API, and where each one is (sinch-api.md section 1)."""

#: Service name to base URL, without a slash at the end.
SERVICES: dict[str, str] = {
    "messagemedia": "https://api.messagemedia.com",
    "engage_eu": "https://eu.app.api.sinch.com",
    "engage_au": "https://au.app.api.sinch.com",
    "etxt": "https://api.etxtservice.co.nz",
}

#: Services that exist but whose address is published nowhere: they need `base_url`.
UNPUBLISHED: frozenset[str] = frozenset({"one_nz", "grouptext"})
