"""What an account has and has not: features that the vendor's support switches on or off."""

import msgspec


class Features(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An endpoint whose feature is off answers 403."""

    signature_keys: bool = True
    sender_addresses: bool = True
    dedicated_numbers: bool = True
    reporting: bool = True
    billing_units: bool = False  #: in delivery reports
    opt_out_words: bool = True  #: STOP and the like put their sender on the list
    opt_out_blocks: bool = True  #: sends to listed numbers are rejected; off: the customer does it itself
