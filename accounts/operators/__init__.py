"""The operators' pages: Django's admin, behind Office365 and a second factor.

Every app registers its models on `site`. Most are for reading: what changes something is an action that calls a
service, so that the rules hold and the audit trail is written.
"""

from accounts.operators.confirmed_act import ConfirmForm, ReasonForm, confirmed_act
from accounts.operators.read_only import ReadOnlyAdmin, carry_out, operator_of
from accounts.operators.site import site

__all__ = ["ConfirmForm", "ReadOnlyAdmin", "ReasonForm", "carry_out", "confirmed_act", "operator_of", "site"]
